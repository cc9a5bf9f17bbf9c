//! What goes wrong around a hub is seen in its health, named in its log, and survived.

use e2e::library;

use super::*;

/// Waits until the last reload counts as refused for a reason that names this.
fn until_refused(bus: &Bus, names: &str) -> Value {
    let is_refused = |answer: &Answered| {
        let problem = &answer.json()["problems"][0];
        problem["kind"] == "reload_failed" && problem["message"].as_str().unwrap().contains(names)
    };
    let answer = until(bus, "/ready", is_refused);
    assert_eq!(answer.code, 200, "it goes on: {answer:?}");
    http(bus).get("/status").json()["hub"]["reloads"].take()
}

fn until_well(bus: &Bus) {
    until(bus, "/ready", |answer| answer.json()["problems"] == Value::Array(vec![]));
}

#[test]
fn a_torn_file_signals_in_a_row_and_a_plugin_that_has_gone() {
    let mut bus = Bus::default();
    let (next, plugin) = (bus.scratch.join("next.so"), bus.scratch.join("hub.plugins/misbehaving.so"));
    let install = || {
        std::fs::copy(library("misbehaving"), &next).unwrap();
        std::fs::rename(&next, &plugin).unwrap();
    };
    let hub = asked(&bus).recorder(&bus.recorder).config("misbehaving.talks.enabled = true");
    install();
    let mut hub = hub.start();
    let place = bus.scratch.join("hub.toml");
    let whole = std::fs::read(&place).unwrap();
    std::fs::write(&place, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(until_refused(&bus, "hub.toml:")["failed"], 1);
    hub.log().wait_for("not reloaded: ");
    bus.publish("t", 0..1);
    bus.recorder.wait_for(1);

    for _ in 0..100 {
        hub.process.signal(Signal::HUP);
    }
    until(&bus, "/metrics", |answer| {
        let failed = answer.body.lines().find_map(|line| {
            line.strip_prefix("fedmsg_hub_reloads_total{result=\"failed\"} ")?.parse::<u64>().ok()
        });
        (2..=101).contains(&failed.unwrap())
    });
    assert_eq!(http(&bus).get("/live").code, 200);
    std::fs::write(&place, &whole).unwrap();
    until_well(&bus);
    bus.publish("t", 0..1);
    bus.recorder.wait_for(2);

    std::fs::remove_file(&plugin).unwrap();
    assert_eq!(until_refused(&bus, "misbehaving")["succeeded"], 0);
    bus.publish("t", 0..1);
    bus.recorder.wait_for(3);
    install();
    until_well(&bus);
    assert_eq!(hub.stop().code(), Some(0));
    assert!(hub.log().wait_for("consumer stopped consumer=talks").contains("received=3 "));
}

#[test]
fn all_endpoints_down() {
    let bus = Bus::default();
    let [first, second] = free_ports().map(|port| format!("tcp://127.0.0.1:{port}"));
    let listen = format!("http.listen=unix:{}", bus.scratch.join("http.sock").display());
    let hub = |required: &str| {
        Hub::builder(&bus.scratch).recorder(&bus.recorder).arguments(&["--set", &listen]).config(&format!(
            "endpoints = {{ e = \"{first}\", f = \"{second}\" }}\nhub.required_endpoints = [{required}]"
        ))
    };
    let publish = |address: &str| {
        let mut publisher = TestPublisher::bind(address);
        publisher.wait_for_subscriber("t");
        publisher.publish("t", "{}");
        publisher
    };
    let running = hub("").start();
    until_unready(&bus, "endpoint_down");
    running.log().wait_for("cannot connect: nothing answers there; retrying for ever endpoint=e");
    let up = publish(&second);
    bus.recorder.wait_for(1);
    let answer = until(&bus, "/ready", |answer| answer.code == 200);
    assert_eq!(answer.json()["problems"][0]["about"], "e");
    drop((running, up));
    // Whoever says which one is needed needs no other.
    let _running = hub("\"e\"").start();
    assert_eq!(until_unready(&bus, "endpoint_down")["about"], "e");
    let _up = publish(&first);
    bus.recorder.wait_for(2);
    assert_eq!(until(&bus, "/ready", |answer| answer.code == 200).json()["problems"][0]["about"], "f");
}
