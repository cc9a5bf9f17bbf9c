//! The machine's clock jumps: that is told, and harms nothing.

use std::time::Instant;

use e2e::{DEADLINE, Http, Hub, Recorder, Scratch, TestPublisher, WallClock};
use serde_json::{Value, json};

const DAY: f64 = 86_400.0;

#[test]
fn a_clock_that_jumps_is_told_and_no_message_age_wait_or_history_suffers() {
    let scratch = Scratch::new();
    let clock = WallClock::new(&scratch);
    let (slow, answering) = (Recorder::listen(&scratch, "slow"), Recorder::listen(&scratch, "answering"));
    let mut publisher = TestPublisher::default();
    let free = scratch.join("free");
    let socket = scratch.join("http.sock");
    let hub = clock.of(Hub::builder(&scratch)).subscribed_to(&publisher).plugin("recorder");
    let mut hub = hub
        .arguments(&["--set", &format!("http.listen=unix:{}", socket.display())])
        .config("journal.max_age = \"1h\"\njournal.segment_bytes = 65536\njournal.memory_bytes = 65536")
        .config(&format!(
            "recorder = {{ enabled = true, path = \"{}\", delay = \"1h\", until = \"{}\", topics = [\"t\"] }}\n\
             answering = {{ enabled = true, path = \"{}\", topics = [\"a\"] }}",
            slow.path(),
            free.display(),
            answering.path()
        ))
        .start();
    let status = |is_right: &dyn Fn(&Value) -> bool| {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let status = Http::Unix(socket.clone()).get("/status").json();
            if is_right(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status}");
        }
    };
    publisher.wait_for_subscriber("t");
    publisher.wait_for_subscriber("a");
    let twice = publisher.compose("t", "{}");
    for (n, (days, by)) in [(1, "24h forward"), (-1, "48h back"), (0, "24h forward")].into_iter().enumerate()
    {
        publisher.send("t", &twice);
        for _ in 0..200 {
            publisher.publish("t", &json!({ "filling": "x".repeat(1000) }).to_string());
        }
        // In retry over the jump.
        publisher.publish("a", r#"{"answer": "retry", "times": 3, "after": "300ms"}"#);
        let came = 202 * (n as u64 + 1);
        status(&|status| {
            status["intake"]["messages"] == came
                && status["consumers"][0]["failures"].as_u64() > Some(3 * n as u64)
        });
        clock.set(days);
        let jumped = status(&|status| status["hub"]["clock_jumps"] == n as u64 + 1);
        let consumer = |name: &str| {
            let consumers = jumped["consumers"].as_array().unwrap();
            consumers.iter().find(|it| it["name"] == name).unwrap().clone()
        };
        let ages = [
            &consumer("recorder")["lag_seconds"],
            &consumer("recorder")["in_hand_seconds"],
            &jumped["endpoints"][0]["silent_seconds"],
            &jumped["endpoints"][0]["addresses"][0]["state_seconds"],
            &jumped["hub"]["uptime_seconds"],
        ];
        assert!(ages.iter().all(|age| (0.0..DAY / 2.0).contains(&age.as_f64().unwrap())), "{jumped}");
        let problems = jumped["problems"].as_array().unwrap();
        let problem = problems.iter().find(|it| it["kind"] == "clock_jumped").unwrap();
        assert_eq!(problem["severity"], "warning");
        hub.log().wait_for(&format!("the clock has jumped {by}: "));
        answering.wait_for(n + 1);
    }
    let metrics = Http::Unix(socket.clone()).get("/metrics");
    assert!(metrics.body.contains("fedmsg_hub_clock_jumps_total 3\n"), "{}", metrics.body);
    std::fs::write(free, "").unwrap();
    // One came three times, byte by byte, within the window.
    slow.wait_for(601);
    let caught_up = status(&|status| status["consumers"][1]["lag"] == 0);
    assert_eq!(caught_up["intake"]["rejected"]["duplicate"], 2);
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!((slow.all().len(), answering.all().len()), (601, 3));
}
