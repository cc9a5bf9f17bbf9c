//! What is signed here is believed by the real Python fedmsg, and keys that cannot be used are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crypto::hostname;
use e2e::{Hub, HubBuilder, Process, Recorder, Scratch, TestPublisher, binary};
use serde_json::{Value, json};

use super::{Python, pki, trust};
use crate::interop::{Bus, MSG};

/// A Python fedmsg-hub whose consumer validates, on our bus and on that of a publisher without a key.
fn validating_python(bus: &Bus, recorder: &Recorder, stranger: &TestPublisher) -> Process {
    let config = json!({
        "endpoints": {"relay_outbound": [bus.outbound], "stranger": [stranger.address().to_string()]},
        "recorder.enabled": true,
        "recorder.path": recorder.path(),
        "validate_signatures": true,
        "crypto_backend": "x509",
        "crypto_validate_backends": ["x509"],
        "ca_cert_location": pki().join("ca.crt"),
        "crl_location": pki().join("crl"),
        "routing_policy": {},
        "routing_nitpicky": false,
    });
    bus.python("fedmsg-hub", &config, &["--with-consumers=recorder:Recorder"])
}

fn has(recorder: &Recorder, text: &str) -> bool {
    let found = |lines: &[String]| lines.iter().any(|line| line.contains(text)).then_some(());
    recorder.lines().wait_within(Duration::from_millis(200), found).is_ok()
}

/// The record of the message with this end of its topic.
fn record(recorder: &Recorder, topic: &str) -> Value {
    recorder.wait_until(topic, |record| record["topic"].as_str().is_some_and(|it| it.ends_with(topic)))
}

#[test]
fn what_our_relay_signs_is_believed_by_python_and_by_our_hub() {
    let bus = Bus::new();
    let (ours, pythons) = (Recorder::listen(&bus.scratch, "ours"), Recorder::listen(&bus.scratch, "pythons"));
    let mut stranger = TestPublisher::default();
    let mut hub = bus
        .builder(true, &ours)
        .config("fedmsg.consumers.relay.sign = true")
        .config(&trust())
        .config("validate_signatures = true\ncertnames.signing_relay = \"good\"")
        .start();
    assert!(hub.log().wait_for("signing what is forwarded").contains("cn=\"good\""));
    let python_hub = validating_python(&bus, &pythons, &stranger);
    bus.knock(|knock| has(&pythons, knock));
    // It does validate.
    stranger.wait_for_subscriber("org.");
    stranger.publish("org.fedoraproject.dev.stranger", "{}");
    python_hub.stdout.wait_for("Received invalid message");

    bus.python_logger(&["--json-input", "--topic", "unsigned"], MSG);
    let mut python = Python::connect(&bus.scratch, &bus.inbound);
    python.publish(&json!({"modname": "logger", "topic": "revoked", "msg": {}, "key": "revoked"}));
    python.publish(
        &json!({"modname": "logger", "topic": "tampered", "msg": {}, "key": "good", "change": {"i": 9}}),
    );
    let mut bare = TestPublisher::connect(&bus.inbound);
    bare.wait_for_subscriber("org.fedoraproject.dev.bare");
    bare.send("org.fedoraproject.dev.bare", r#"{"log": "snöwman ☃"}"#.as_bytes());
    for topic in ["unsigned", "revoked", "tampered", "bare"] {
        let (theirs, our) = (record(&pythons, topic), record(&ours, topic));
        assert_eq!(theirs["body"]["msg"], our["msg"], "{topic}");
        assert_eq!(theirs["body"]["crypto"], "x509");
        assert_eq!((&our["verdict"], &our["signer"]), (&json!("Valid"), &json!("good")), "{topic}");
    }
    assert_eq!(record(&ours, "unsigned")["msg"], serde_json::from_str::<Value>(MSG).unwrap());
    assert_eq!(record(&ours, "bare")["msg"], json!({"log": "snöwman ☃"}));
    assert_eq!(hub.stop().code(), Some(0));
    assert!(pythons.all().iter().all(|record| record["topic"] != "org.fedoraproject.dev.stranger"));
}

#[test]
fn as_fedmsg_signing_relay_the_hub_signs_and_python_believes_it() {
    let bus = Bus::new();
    let pythons = Recorder::listen(&bus.scratch, "pythons");
    let stranger = TestPublisher::default();
    let _relay = bus.relay("fedmsg-signing-relay", &format!("{}certnames.signing_relay = \"good\"", trust()));
    let _python_hub = validating_python(&bus, &pythons, &stranger);
    bus.knock(|knock| has(&pythons, knock));
    assert_eq!(record(&pythons, "knock")["body"]["crypto"], "x509");
}

#[test]
fn what_plugins_and_the_logger_publish_is_signed_as_their_services_and_believed_by_python() {
    let bus = Bus::new();
    let (ours, pythons) = (Recorder::listen(&bus.scratch, "ours"), Recorder::listen(&bus.scratch, "pythons"));
    let stranger = TestPublisher::default();
    let host = hostname();
    let sign = format!(
        "{}validate_signatures = true\nsign_messages = true\n\
         certnames = {{ \"fedmsg-hub.{host}\" = \"good\", \"shell.{host}\" = \"other\" }}",
        trust()
    );
    let _hub = bus
        .builder(true, &ours)
        .plugin("misbehaving")
        .config("misbehaving.publishes = { enabled = true, times = 1, topics = [\"*.logger.*\"] }")
        .config(&sign)
        .start();
    let _python_hub = validating_python(&bus, &pythons, &stranger);
    let config = bus.scratch.write("sign.toml", &sign);
    let logger = |topic| {
        let config = ["--config", config.to_str().unwrap()];
        bus.our_logger(&[&config[..], &["--topic", topic, "--json-input"]].concat(), MSG);
    };
    // Nobody believes a knock, and so a real message has to do.
    while !has(&pythons, "logger.knock") {
        logger("knock");
    }
    logger("real");
    let msg: Value = serde_json::from_str(MSG).unwrap();
    for (topic, signer) in [("logger.real", "other"), ("misbehaving.echo", "good")] {
        let (theirs, our) = (record(&pythons, topic), record(&ours, topic));
        assert_eq!((&theirs["body"]["msg"], &our["msg"]), (&msg, &msg));
        assert_eq!((&our["verdict"], &our["signer"]), (&json!("Valid"), &json!(signer)));
    }
}

/// The configuration of a bus where everybody signs with a key pair that others may read.
fn exposed(scratch: &Scratch) -> String {
    for file in ["good.key", "good.crt"] {
        fs::copy(pki().join(file), scratch.join(file)).unwrap();
    }
    fs::set_permissions(scratch.join("good.key"), PermissionsExt::from_mode(0o640)).unwrap();
    format!(
        "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = \"{}\"\n\
         [crypto]\nsign_messages = true\nssldir = \"{}\"\n\
         certnames = {{ signing_relay = \"good\", \"shell.{}\" = \"good\" }}",
        scratch.ipc("in"),
        scratch.ipc("out"),
        scratch.path().display(),
        hostname()
    )
}

fn signing_relay(scratch: &Scratch) -> HubBuilder<'_> {
    Hub::builder(scratch).plugin("relay").config("fedmsg.consumers.relay = { enabled = true, sign = true }")
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let scratch = Scratch::new();
    let config = exposed(&scratch);
    let mend = format!("chmod 600 {}", scratch.join("good.key").display());
    let relay = signing_relay(&scratch).config(&config).run();
    assert_eq!(relay.status.code(), Some(4));
    assert!(relay.stderr.contains("consumer `relay` did not start"), "{}", relay.stderr);
    assert!(relay.stderr.contains(&mend) && relay.stderr.contains("mode 0640"), "{}", relay.stderr);
    let mut logger = Command::new(binary("fedmsg-logger"));
    logger.args(["--message", "x"]).env("FEDMSG_CONFIG", scratch.join("hub.toml"));
    let logger = Process::run(&scratch, "logger", &mut logger, "");
    assert_eq!(logger.status.code(), Some(3), "{}", logger.stderr);
    assert!(logger.stderr.contains(&mend) && logger.stderr.contains("mode 0640"), "{}", logger.stderr);
}

#[test]
fn what_a_plugin_publishes_is_not_sent_unsigned_because_the_key_cannot_be_used() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config("misbehaving.publishes = { enabled = true, times = 1, max_attempts = 1 }")
        .subscribed_to(&publisher)
        .config(&exposed(&scratch).replace("signing_relay", &format!("\"fedmsg-hub.{}\"", hostname())))
        .start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    let said = hub.log().wait_for("message given up");
    assert!(said.contains("crypto.sign_messages is set, and") && said.contains("chmod 600"), "{said}");
}

#[test]
fn a_signing_relay_without_a_key_does_not_start_and_says_what_is_missing() {
    let scratch = Scratch::new();
    let config = exposed(&scratch).replace("signing_relay = \"good\", ", "");
    let check = |config: &str| {
        let mut check = signing_relay(&scratch).config(config).command();
        Process::run(&scratch, "check", check.arg("check"), "")
    };
    let checked = check(&config);
    let said = "consumer relay is to sign, and there is nothing to sign with: crypto.certnames has no";
    assert!(checked.stdout.contains(said) && checked.status.code() == Some(3), "{}", checked.stdout);
    let relay = signing_relay(&scratch).config(&config).run();
    assert_eq!(relay.status.code(), Some(4));
    assert!(relay.stderr.contains(r#"crypto.certnames has no "signing_relay": add it"#), "{}", relay.stderr);
    let config = exposed(&scratch).replace("signing_relay = \"good\"", "signing_relay = \"absent\"");
    let checked = check(&config.replace("sign_messages = true", ""));
    assert!(
        checked.stdout.contains("nothing to sign with: crypto.ssldir: cannot read"),
        "{}",
        checked.stdout
    );
    assert_eq!(checked.status.code(), Some(3));
    let relay = signing_relay(&scratch).config(&config).run();
    assert_eq!(relay.status.code(), Some(4));
    assert!(relay.stderr.contains("crypto.ssldir: cannot read"), "{}", relay.stderr);
    assert!(relay.stderr.contains("absent.key"), "{}", relay.stderr);
}

#[test]
fn a_relay_may_stop_signing_and_lose_its_key_in_one_reload_and_signs_nothing_that_all_would_reject() {
    let scratch = Scratch::new();
    let config = exposed(&scratch);
    fs::set_permissions(scratch.join("good.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let hub = signing_relay(&scratch).config("hub.watch = false").config(&config).start();
    let mut publisher = TestPublisher::connect(&scratch.ipc("in"));
    publisher.wait_for_subscriber("the.frame");
    publisher.send("the.frame", br#"{"topic": "another", "msg": {}}"#);
    hub.log().wait_for("the topic in its body is not that of its frame");

    let unsigned = Hub::builder(&scratch)
        .plugin("relay")
        .config("fedmsg.consumers.relay.enabled = true\nhub.watch = false")
        .config(&config.replace("signing_relay = \"good\", ", ""));
    let reload = Process::run(&scratch, "reload", unsigned.command().arg("reload"), "");
    assert_eq!(reload.status.code(), Some(0), "{}", reload.stderr);
}

#[test]
fn what_plugins_publish_is_signed_by_whom_certnames_says_since_the_last_reload() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let with = |cn: &str| {
        bus.builder(true, &recorder)
            .plugin("misbehaving")
            .config("hub.watch = false\nmisbehaving.publishes = { enabled = true, times = 1, topics = [\"*.logger.*\"], validate_signatures = false }")
            .config(&format!("{}validate_signatures = true\nsign_messages = true\n[crypto.certnames]\n\"fedmsg-hub.{}\" = \"{cn}\"", trust(), hostname()))
    };
    let _hub = with("good").start();
    bus.knock(|_| has(&recorder, "misbehaving.echo"));
    let done = Process::run(&bus.scratch, "reload", with("other").command().arg("reload"), "");
    assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
    bus.our_logger(&["--json-input"], "{\"now\": \"other\"}");
    let echo = |msg: &Value| {
        recorder.wait_until("the echo", |record| {
            record["topic"].as_str().is_some_and(|it| it.ends_with("misbehaving.echo"))
                && record["msg"] == *msg
        })
    };
    assert_eq!(echo(&json!({"now": "other"}))["signer"], "other");
    assert!(recorder.all().iter().any(|record| record["signer"] == "good"));
    // Without a pair to sign with, all stays as it is.
    let done = Process::run(&bus.scratch, "reload", with("absent").command().arg("reload"), "");
    assert_eq!(done.status.code(), Some(3), "{}", done.stderr);
    bus.our_logger(&["--json-input"], "{\"now\": \"absent\"}");
    assert_eq!(echo(&json!({"now": "absent"}))["signer"], "other");
}

#[test]
fn what_plugins_publish_is_signed_with_the_key_that_was_there_at_the_start() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    for file in ["good.key", "good.crt"] {
        fs::copy(pki().join(file), bus.scratch.join(file)).unwrap();
    }
    let _hub = bus
        .builder(true, &recorder)
        .plugin("misbehaving")
        .config("misbehaving.publishes = { enabled = true, times = 1, topics = [\"*.logger.*\"] }")
        .config(&format!(
            "crypto = {{ sign_messages = true, ssldir = \"{}\", certnames = {{ \"fedmsg-hub.{}\" = \"good\" }} }}",
            bus.scratch.path().display(),
            hostname()
        ))
        .start();
    fs::remove_file(bus.scratch.join("good.key")).unwrap();
    bus.knock(|_| has(&recorder, "misbehaving.echo"));
}
