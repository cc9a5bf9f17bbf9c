//! A message's way from a publisher to the consumers.

use e2e::{Hub, Process, Recorder, Scratch, TestPublisher};
use serde_json::json;

#[test]
fn a_message_reaches_each_consumer_once_however_many_of_its_topics_match() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut bodhi = TestPublisher::default();
    let mut _hub = Hub::builder(&scratch)
        .plugin("recorder")
        .config(&format!(
            r#"
            endpoints.bodhi = "{}"
            [recorder]
            enabled = true
            path = "{}"
            topics = ["org.*.bodhi.*", "org.fedoraproject.dev.bodhi.update.?omment", "*.git.receive"]
            "#,
            bodhi.address(),
            recorder.path()
        ))
        .start();
    bodhi.wait_for_subscriber("org.fedoraproject.dev.bodhi.update.comment");
    bodhi.publish("org.fedoraproject.dev.bodhi.update.comment", r#"{"text": "snöwman ☃"}"#);
    bodhi.publish("org.fedoraproject.dev.github.receive", "{}");
    bodhi.publish("org.fedoraproject.dev.git.receive", r#"{"last": true}"#);
    let got = recorder.wait_for(2);
    assert_eq!(got[0]["topic"], "org.fedoraproject.dev.bodhi.update.comment");
    assert_eq!(got[0]["msg"], json!({"text": "snöwman ☃"}));
    assert_eq!(got[0]["endpoint"], "bodhi");
    assert_eq!(got[0]["attempt"], 1);
    assert_eq!(got[1]["msg"], json!({"last": true}));
}

#[test]
fn messages_of_many_endpoints_know_by_which_they_came_and_one_that_is_down_harms_none() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let (mut first, mut second) = (TestPublisher::default(), TestPublisher::bind(&scratch.ipc("second")));
    let hub = Hub::builder(&scratch)
        .plugin("recorder")
        .config(&format!(
            r#"
            [endpoints]
            first = "{}"
            second = "{}"
            down = "tcp://127.0.0.1:1"
            nowhere = "tcp://no-such-host.invalid:4001"
            [recorder]
            enabled = true
            path = "{}"
            "#,
            first.address(),
            second.address(),
            recorder.path()
        ))
        .start();
    first.wait_for_subscriber("t");
    second.wait_for_subscriber("t");
    first.publish("t.first", "{}");
    second.publish("t.second", "{}");
    let mut got: Vec<_> = recorder
        .wait_for(2)
        .iter()
        .map(|record| format!("{} by {}", record["topic"], record["endpoint"]).replace('"', ""))
        .collect();
    got.sort();
    assert_eq!(got, ["t.first by first", "t.second by second"]);
    hub.log().wait_for("no-such-host.invalid");
    hub.log().wait_for("127.0.0.1:1");
}

#[test]
fn at_start_and_stop_the_hub_says_what_runs_and_what_became_of_the_messages() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .plugin("recorder")
        .plugin("misbehaving")
        .config(&format!(
            r#"
            endpoints.e = "{}"
            recorder = {{ enabled = true, path = "{}", topics = ["t.*"] }}
            misbehaving.drops = {{ enabled = true, topics = ["t.bad"] }}
            "#,
            publisher.address(),
            recorder.path()
        ))
        .start();
    let said = hub.log().wait_for("consumer=recorder");
    assert!(said.contains(r#"topics="t.*""#), "{said}");
    publisher.wait_for_subscriber("t.");
    publisher.publish("t.good", "{}");
    publisher.publish("t.bad", "{}");
    recorder.wait_for(2);
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=recorder");
    assert!(said.contains("received=2 finished=2"), "{said}");
    let said = hub.log().wait_for("consumer stopped consumer=drops");
    assert!(said.contains(r#"received=1 finished=0 retries=0 failed="by_plugin=1""#), "{said}");
}

#[test]
fn a_hub_without_an_enabled_consumer_warns_loudly() {
    let scratch = Scratch::new();
    let hub =
        Hub::builder(&scratch).plugin("recorder").config(r#"endpoints.e = "tcp://127.0.0.1:1""#).start();
    hub.log().wait_for("NO CONSUMER IS ENABLED");
}

#[test]
fn with_consumers_runs_exactly_the_named_ones() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let hub = Hub::builder(&scratch)
        .plugin("recorder")
        .plugin("misbehaving")
        .config(&format!(
            r#"
            endpoints.e = "tcp://127.0.0.1:1"
            recorder.path = "{}"
            misbehaving.drops.enabled = true
            "#,
            recorder.path()
        ))
        .arguments(&["--with-consumers", "recorder"])
        .start();
    hub.log().wait_for("consumer=recorder");
    assert!(!hub.log().all().iter().any(|line| line.contains("consumer=drops")));
}

#[test]
fn under_another_name_the_hub_runs_that_names_consumer_beside_a_hub_of_the_same_configuration() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let builder = Hub::builder(&scratch)
        .plugin("recorder")
        .plugin("gateway")
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .config(
            "http.listen = \"127.0.0.1:0\"\nfedmsg.consumers.gateway.addresses = [\"tcp://127.0.0.1:*\"]",
        );
    let hub = builder.clone().start();
    let program = scratch.join("fedmsg-gateway");
    std::os::unix::fs::symlink(e2e::binary("fedmsg-hub"), &program).unwrap();
    let mut command = std::process::Command::new(program);
    command.env("NO_COLOR", "1").env("FEDMSG_CONFIG", scratch.join("hub.toml"));
    command.env("FEDMSG_HUB__HUB__STATE_DIR", scratch.join("gateway.state"));
    command.arg("--plugin-dir").arg(scratch.join("hub.plugins"));
    let gateway = Process::start(&scratch, "gateway", &mut command);
    gateway.stderr.wait_for("ready");
    publisher.wait_for_subscriber("");
    publisher.publish("t", "{}");
    recorder.wait_for(1);
    let runs = |lines: Vec<String>| lines.iter().filter(|line| line.contains("consumer consumer=")).count();
    assert_eq!((runs(gateway.stderr.all()), runs(hub.log().all())), (1, 1));
    gateway.stderr.wait_for("consumer consumer=gateway");
    assert!(!gateway.stderr.all().iter().any(|line| line.contains("http")), "{:#?}", gateway.stderr.all());
}

#[test]
fn what_plugins_log_reaches_the_log_under_the_consumers_name() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config(&format!(
            "endpoints.e = \"{}\"\nmisbehaving.talks.enabled = true\nlog.level = \"info,plugin=debug\"",
            publisher.address()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    for (text, level) in [("by tracing", "WARN"), ("by log, attempt 1", "WARN"), ("in detail", "DEBUG")] {
        let line = hub.log().wait_for(text);
        assert!(line.contains(level) && line.contains(r#"consumer="talks""#), "{line}");
    }
    assert!(hub.log().wait_for("by tracing").contains("outer{"), "the span is lost");
    hub.log().wait_for("by a thread");
}

#[test]
fn a_retried_message_holds_those_behind_it_and_is_given_up_after_max_attempts() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config(&format!(
            "endpoints.e = \"{}\"\nmisbehaving.retries = {{ enabled = true, times = 2, max_attempts = 3 }}\n
             journal.mode = \"memory\" # so that a stop waits for retries\n[log]\nlevel = \"debug\"",
            publisher.address()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    for _ in 0..3 {
        publisher.publish("t", "{}");
    }
    let retried = "hub::consumer::courier: retry";
    hub.log().wait_until("six retries", |lines| {
        (lines.iter().filter(|line| line.contains(retried)).count() == 6).then_some(())
    });
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=retries");
    assert!(said.contains(r#"received=3 finished=3 retries=6 failed="none""#), "{said}");

    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .name("second")
        .plugin("misbehaving")
        .config(&format!(
            "endpoints.e = \"{}\"\nmisbehaving.retries = {{ enabled = true, times = 9, max_attempts = 3 }}",
            publisher.address()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    let said = hub.log().wait_for("message given up");
    assert!(said.contains(r#"reason="dead_lettered""#) && said.contains("attempt 3 is too early"), "{said}");
    assert_eq!(hub.stop().code(), Some(0));
}
