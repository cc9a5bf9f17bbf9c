//! Calls over the border and what comes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use plugin_api::loader::Library;
use plugin_api::serde_json::{self, Value};
use plugin_api::{Consumed, Delivery, FailureKind, Host, Instance};

use crate::host::TestHost;
use crate::{misbehaving, plugin};

fn start(name: &str, config: &str) -> Instance {
    misbehaving(name).start(config, Arc::new(TestHost::default())).unwrap()
}

fn delivery(body: &str) -> Delivery<'_> {
    Delivery::new("org.example.thing", body.as_bytes(), "there")
}

/// What a consumer answers to one message.
fn answer(instance: &mut Instance, delivery: &Delivery<'_>) -> (FailureKind, String, Option<Duration>) {
    let Consumed { done, failure } = instance.consume(std::slice::from_ref(delivery));
    let failure = failure.unwrap();
    assert_eq!(done, 0);
    (failure.kind(), failure.reason().to_owned(), failure.retry_after())
}

#[test]
fn every_answer_comes_over_with_its_reason() {
    let drops = answer(&mut start("drops", "{}"), &delivery("{}"));
    assert_eq!(drops, (FailureKind::Drop, "of no use".to_owned(), None));
    let stops = answer(&mut start("stops-itself", "{}"), &delivery("{}"));
    assert_eq!(stops, (FailureKind::Stop, "had enough".to_owned(), None));
    let retries = answer(&mut start("retries", "{}"), &delivery("{}"));
    assert_eq!(
        retries,
        (FailureKind::Retry, "attempt 1 is too early".to_owned(), Some(Duration::from_millis(1)))
    );
    let later = answer(&mut start("puts-off", "{}"), &delivery("{}"));
    assert_eq!(later, (FailureKind::Later, "it is not due".to_owned(), Some(Duration::from_millis(1))));
}

#[test]
fn a_consumer_sees_how_often_a_message_came() {
    let mut retries = start("retries", r#"{"times":2}"#);
    let attempts = [1, 2, 3].map(|attempt| {
        retries.consume(&[Delivery { attempt, ..delivery("{}") }]).failure.map(|failure| failure.kind())
    });
    assert_eq!(attempts, [Some(FailureKind::Retry), Some(FailureKind::Retry), None]);
}

#[test]
fn a_batch_ends_at_the_first_failure() {
    let mut consumer = start("panics-in-consume", r#"{"key":"panic"}"#);
    let (good, bad) = (r#"{"topic":"t","msg":{}}"#, r#"{"topic":"t","msg":{"panic":1}}"#);
    let consumed = consumer.consume(&[good, good, bad, good].map(delivery));
    assert_eq!((consumed.done, consumed.failure.map(|it| it.kind())), (2, Some(FailureKind::Panic)));
    assert_eq!(consumer.consume(&[good, good].map(delivery)), Consumed { done: 2, failure: None });
    assert_eq!(consumer.consume(&[]), Consumed { done: 0, failure: None });
}

#[test]
fn a_start_error_says_whether_to_try_again() {
    let host = || Arc::new(TestHost::default());
    let error = misbehaving("starts-late").start("{}", host()).unwrap_err();
    assert_eq!((error.is_retryable(), error.reason()), (true, "the file is not there yet"));
    let error = misbehaving("never-starts").start("{}", host()).unwrap_err();
    assert_eq!((error.is_retryable(), error.reason()), (false, "its day is over"));
    let error = misbehaving("talks").start(r#"{"tims":1}"#, host()).unwrap_err();
    assert_eq!((error.is_retryable(), error.reason()), (false, "tims: unknown key; did you mean `times`?"));
}

#[test]
fn what_a_consumer_publishes_reaches_the_host_and_a_refusal_or_a_panic_there_comes_back() {
    let host = Arc::new(TestHost::default());
    let mut publishes = misbehaving("publishes").start("{}", Arc::clone(&host) as Arc<dyn Host>).unwrap();
    let body = |word: &str| format!(r#"{{"topic":"t","msg":{{"is":"{word}"}}}}"#);
    assert_eq!(publishes.consume(&[delivery(&body("fine"))]).failure, None);
    assert_eq!(host.lines(), [r#"publish misbehaving.echo {"is":"fine"}"#]);
    let refused = answer(&mut publishes, &delivery(&body("unwelcome")));
    assert_eq!(refused, (FailureKind::Retry, "not published: it is unwelcome".to_owned(), None));
    let exploded = answer(&mut publishes, &delivery(&body("explode")));
    assert_eq!(exploded.0, FailureKind::Retry);
    assert!(exploded.1.ends_with("the host exploded"), "{}", exploded.1);
}

#[test]
fn what_a_consumer_forwards_signed_goes_to_the_host_and_its_answer_comes_back() {
    let host = Arc::new(TestHost::default());
    let relay = Library::open(plugin("relay")).unwrap();
    let start = |config| relay.consumers()[0].start(config, Arc::clone(&host) as Arc<dyn Host>);
    let mut relay = start(r#"{"sign":true,"outbound":"there"}"#).unwrap();
    assert_eq!(relay.consume(&[delivery("{}")]).failure, None);
    assert_eq!(host.lines(), ["sign for there", "sign org.example.thing for publisher 7"]);
    let unsignable = answer(&mut relay, &delivery("[]"));
    assert_eq!(unsignable, (FailureKind::Drop, "it is no object".to_owned(), None));
    let unsent = answer(&mut relay, &delivery("away"));
    assert_eq!(unsent, (FailureKind::Retry, "not published: nobody is there".to_owned(), None));
    let exploded = answer(&mut relay, &delivery("explode"));
    assert_eq!(exploded.0, FailureKind::Retry);
    assert!(exploded.1.ends_with("the host exploded"), "{}", exploded.1);
}

#[test]
fn what_a_consumer_counts_reaches_the_host_and_a_panic_there_does_no_harm() {
    let host = Arc::new(TestHost::default());
    let mut counts = misbehaving("counts-anything").start("{}", Arc::clone(&host) as Arc<dyn Host>).unwrap();
    let body = r#"{"topic":"t","msg":{"explode":1,"lines":18446744073709551615,"none":0}}"#;
    assert_eq!(counts.consume(&[delivery(body)]).failure, None);
    assert_eq!(host.lines(), ["count explode 1", "count lines 18446744073709551615", "count none 0"]);
}

#[test]
fn several_instances_of_one_consumer_work_at_once_each_on_its_own_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let config = format!(r#"{{"path":{path:?}}}"#);
    let library = Library::open(plugin("recorder")).unwrap();
    let answering = library.consumers().iter().find(|consumer| consumer.name() == "answering").unwrap();
    let (good, bad) = (r#"{"topic":"t","msg":{}}"#, r#"{"topic":"t","msg":{"answer":"panic"}}"#);
    let all_started = Barrier::new(4);
    thread::scope(|scope| {
        for number in 0..4 {
            let (config, all_started) = (&config, &all_started);
            scope.spawn(move || {
                let mut instance = answering.start(config, Arc::new(TestHost::default())).unwrap();
                all_started.wait();
                let mut batch = [delivery(good); 100];
                batch[number] = delivery(bad);
                for _ in 0..20 {
                    let Consumed { done, failure } = instance.consume(&batch);
                    assert_eq!((done, failure.map(|it| it.kind())), (number, Some(FailureKind::Panic)));
                    assert_eq!(instance.consume(&batch[number + 1..]).failure, None);
                }
                instance.stop().unwrap();
            });
        }
    });
    let mut taken = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        *taken.entry(record["instance"].as_u64()).or_insert(0) += 1;
    }
    assert_eq!(taken.into_values().collect::<Vec<_>>(), [20 * 99; 4]);
}
