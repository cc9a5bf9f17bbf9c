//! Configurations and command lines that can't be: the hub says what, where and the mend, and does not start.

use std::net::TcpListener;

use e2e::{Hub, Scratch};

/// Runs a hub with this configuration; it must refuse it. What it says.
fn refused(config: &str) -> String {
    let scratch = Scratch::new();
    let hub =
        Hub::builder(&scratch).plugin("dummy").plugin("relay").plugin("misbehaving").config(config).run();
    assert_eq!(hub.status.code(), Some(3), "{}", hub.stderr);
    hub.stderr.replace(&format!("{}/", scratch.path().display()), "")
}

#[test]
fn under_another_name_the_hub_complains_under_that_name() {
    let scratch = Scratch::new();
    let relay = Hub::builder(&scratch).program("fedmsg-relay").config("nonsense = 1\nmore = 2").run();
    assert_eq!(relay.status.code(), Some(3));
    assert!(relay.stderr.lines().all(|line| line.starts_with("fedmsg-relay: ")), "{}", relay.stderr);
}

#[test]
fn each_mistake_is_named_with_file_line_and_key() {
    for (config, expected) in [
        (
            "[hub]\ndrain_dedline = \"1s\"",
            "hub.toml:2: hub.drain_dedline: unknown key; did you mean `drain_deadline`?",
        ),
        ("[dumy]\nenabled = true", "hub.toml:1: dumy: "),
        (
            "[fedmsg.consumers.dummy]\nenabled = 1",
            "hub.toml:2: fedmsg.consumers.dummy.enabled: expected true or false",
        ),
        (
            "[fedmsg.consumers.relay]\nenabled = true\noutbuond = \"x\"",
            "hub.toml:3: fedmsg.consumers.relay.outbuond: unknown key; did you mean `outbound`?",
        ),
        (
            "[misbehaving.drops]\nenabled = true\ntimes = \"often\"",
            "hub.toml:3: misbehaving.drops.times: invalid type: string \"often\"",
        ),
        (
            "[misbehaving.drops]\nenabled = true\nmax_attempts = 0",
            "hub.toml:3: misbehaving.drops.max_attempts: must be at least 1",
        ),
        (
            "[fedmsg.consumers.relay]\nenabled = true",
            "endpoints.relay_inbound: missing, but consumer `relay`",
        ),
        ("log.level = \"loud=very\"", "hub.toml:1: log.level: "),
        ("endpoints.a = \"tpc://localhost:1\"", "hub.toml:1: endpoints.a: "),
        (
            "[crypto]\nvalidate_backends = [\"x509\", \"gpg\"]",
            "hub.toml:2: crypto.validate_backends.[1]: gpg is not supported: its signatures are over `msg` alone",
        ),
        (
            "[crypto]\nvalidate_backends = [\"x508\"]",
            "hub.toml:2: crypto.validate_backends.[0]: unknown backend \"x508\"; the one there is, is x509",
        ),
        (
            "[crypto]\ncrl_location = \"https://fedoraproject.org/fedmsg/crl.pem\"",
            "hub.toml:2: crypto.crl_location: is a URL",
        ),
        ("[crypto]\nvalidate_backends = []", "hub.toml:2: crypto.validate_backends: names nothing"),
        ("[[zmq]]", "hub.toml:1: zmq"),
        ("hub = \"", "hub.toml:1: "),
    ] {
        let said = refused(config);
        assert!(said.contains(expected), "{config:?} gave {said}");
    }
}

#[test]
fn an_unknown_consumer_on_the_command_line_is_an_error_with_a_suggestion() {
    let scratch = Scratch::new();
    let hub = Hub::builder(&scratch).plugin("dummy").arguments(&["--with-consumers", "dummmy"]).run();
    assert_eq!(hub.status.code(), Some(3));
    assert!(hub.stderr.contains("unknown consumer; did you mean `dummy`?"), "{}", hub.stderr);
}

#[test]
fn an_unreadable_configuration_is_an_error() {
    let scratch = Scratch::new();
    let hub = Hub::builder(&scratch).arguments(&["--config", "/no/such/file.toml"]).run();
    assert_eq!(hub.status.code(), Some(3));
    assert!(hub.stderr.contains("/no/such/file.toml: cannot be read: No such file"), "{}", hub.stderr);
}

#[test]
fn a_taken_port_is_named_and_the_hub_ends_with_its_own_exit_code() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = Hub::builder(&scratch)
        .plugin("relay")
        .config(&format!(
            "endpoints.relay_inbound = \"tcp://{}\"\nendpoints.relay_outbound = \"{}\"\n
             fedmsg.consumers.relay.enabled = true",
            taken.local_addr().unwrap(),
            scratch.ipc("out")
        ))
        .run();
    assert_eq!(hub.status.code(), Some(5), "{}", hub.stderr);
    assert!(hub.stderr.contains("Address already in use"), "{}", hub.stderr);
    assert!(hub.stderr.contains(&taken.local_addr().unwrap().to_string()), "{}", hub.stderr);
}

#[test]
fn an_unknown_argument_is_a_usage_error() {
    let hub = Hub::builder(&Scratch::new()).arguments(&["--with-consumer", "x"]).run();
    assert_eq!(hub.status.code(), Some(2));
}

#[test]
fn check_says_what_would_run() {
    let scratch = Scratch::new();
    let check = Hub::builder(&scratch)
        .plugin("dummy")
        .plugin("relay")
        .config(
            "endpoints.relay_inbound = \"tcp://127.0.0.1:*\"\nendpoints.bodhi = \"tcp://bodhi.example.org:3000\"\n
             endpoints.relay_outbound = \"ipc:///nowhere\"\nfedmsg.consumers.relay.enabled = true",
        )
        .arguments(&["check"])
        .run();
    assert_eq!(check.status.code(), Some(0), "{}", check.stderr);
    for expected in [
        "on  relay",
        "off dummy",
        "switch on with fedmsg.consumers.dummy.enabled = true",
        "bind      relay_inbound",
        "subscribe bodhi",
    ] {
        assert!(check.stdout.contains(expected), "{expected:?} is not in {}", check.stdout);
    }
}

#[test]
fn check_finds_a_bad_plugin_and_a_bad_configuration() {
    let scratch = Scratch::new();
    let text = scratch.write("text", "no library");
    let check = Hub::builder(&scratch).library(&text, "bad.so").arguments(&["check"]).run();
    assert_eq!(check.status.code(), Some(4));
    assert!(check.stdout.contains("bad.so: is no shared object"), "{}", check.stdout);
    let check = Hub::builder(&scratch).name("second").config("x = 1").arguments(&["check"]).run();
    assert_eq!(check.status.code(), Some(3));
    assert!(check.stdout.contains("second.toml:1: x: unknown key"), "{}", check.stdout);
}
