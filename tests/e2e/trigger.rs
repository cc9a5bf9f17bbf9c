//! Commands that are run for messages: inside the hub, by the plugin `trigger`.

use e2e::{Hub, HubBuilder, Scratch, TestPublisher};

/// A hub with one rule, and what else its consumer's table has.
fn trigger<'s>(scratch: &'s Scratch, publisher: &TestPublisher, table: &str, rule: &str) -> HubBuilder<'s> {
    Hub::builder(scratch).plugin("trigger").subscribed_to(publisher).config(&format!(
        "[fedmsg.consumers.trigger]\nenabled = true\n{table}\n[fedmsg.consumers.trigger.rules.mine]\n{rule}"
    ))
}

#[test]
fn a_message_that_means_no_good_is_read_by_the_command_and_runs_nothing() {
    let scratch = Scratch::new();
    let trap = scratch.join("trap");
    let mut publisher = TestPublisher::default();
    let rule = "topics = [\"*\"]\nshell = \"cat; echo topic $FEDMSG_TOPIC\"";
    let mut hub = trigger(&scratch, &publisher, "", rule).start();
    publisher.wait_for_subscriber("");
    let evil = format!("'; touch {0}; ' $(touch {0}) `touch {0}`", trap.display());
    let body = serde_json::json!({"msg": {"text": format!("{evil}\n\0")}}).to_string();
    publisher.send(&format!("t.{evil}\n"), body.as_bytes());
    // The log writes quotes as it likes.
    let said = hub.log().wait_for("touch");
    assert!(said.contains("u0000"), "{said}");
    hub.log().wait_for("topic t.");
    assert_eq!(hub.stop().code(), Some(0));
    assert!(!trap.exists());
}

#[test]
fn a_command_that_fails_again_and_again_makes_a_dead_letter() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let rule = "topics = [\"t\"]\ncommand = [\"false\"]";
    let hub = trigger(&scratch, &publisher, "max_attempts = 2", rule).start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    let said = hub.log().wait_for("message given up");
    assert!(said.contains("dead_lettered") && said.contains("it ended with exit code 1"), "{said}");
}

#[test]
fn messages_in_a_row_are_one_run_and_a_stop_does_not_wait_for_it() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let rule = |wait: &str| {
        format!("topics = [\"t\"]\nshell = \"echo had $FEDMSG_COUNT; cat\"\nwait_for = \"{wait}\"")
    };
    let table = "on_retry = \"continue\"";
    let mut hub = trigger(&scratch, &publisher, table, &rule("3s")).start();
    publisher.wait_for_subscriber("t");
    for n in 0..10 {
        publisher.publish("t", &n.to_string());
    }
    hub.log().wait_for("had 10");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=trigger");
    assert!(said.contains("received=10 finished=10 retries=10"), "{said}");

    let builder = trigger(&scratch, &publisher, table, &rule("1h")).arguments(&["--set", "log.level=debug"]);
    let mut hub = builder.clone().start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "\"kept\"");
    hub.log().wait_for("it waits for more messages");
    assert_eq!(hub.stop().code(), Some(0));
    let hub = builder.start();
    hub.log().wait_for("kept");
}
