//! What becomes of a batch, by the default and by an author's own `consume_batch`.

use std::slice;

use plugin_api::serde_json::{Value, json};
use plugin_api::testing::Harness;
use plugin_api::{BatchFailure, Consumed, Consumer, Failure, FailureKind, Hub, Message, Pattern, StartError};
use serde::Deserialize;

/// What a message makes its consumer do; `n` is its number.
#[derive(Deserialize)]
struct Order {
    n: u64,
    #[serde(default)]
    answer: String,
}

impl Order {
    fn follow(&self) -> Result<(), Failure> {
        match &*self.answer {
            "" => Ok(()),
            "drop" => Err(Failure::drop("dropped")),
            "stop" => Err(Failure::stop("stopped")),
            "panic" => panic!("in message {}", self.n),
            answer => Err(Failure::retry(answer)),
        }
    }
}

/// Messages: a number answers ok; a pair says what the message of that number shall do.
fn messages(orders: &[(u64, &str)]) -> Vec<(&'static str, Value)> {
    orders.iter().map(|(n, answer)| ("a.b", json!({"n": n, "answer": answer}))).collect()
}

/// Number `bad` of 16 messages gives this answer.
fn sixteen(bad: u64, answer: &'static str) -> Vec<(&'static str, Value)> {
    messages(&(0..16).map(|n| (n, if n == bad { answer } else { "" })).collect::<Vec<_>>())
}

fn summary(consumed: Consumed) -> (usize, Option<(FailureKind, String)>) {
    (consumed.done, consumed.failure.map(|failure| (failure.kind(), failure.reason().to_owned())))
}

/// What a consumer published as `topic`.
fn told<C: Consumer>(harness: &Harness<C>, topic: &str) -> Vec<Value> {
    harness.published().into_iter().filter(|(of, _)| of == topic).map(|(_, msg)| msg).collect()
}

/// Takes messages one by one.
struct OneByOne(Hub);

impl Consumer for OneByOne {
    const NAME: &'static str = "one-by-one";
    const CONFIG_KEY: &'static str = "one_by_one.enabled";
    type Config = ();

    fn topics((): &()) -> Vec<Pattern> {
        Vec::new()
    }

    fn start((): (), hub: Hub) -> Result<Self, StartError> {
        Ok(Self(hub))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let order: Order = message.msg()?;
        self.0.publish("tried", &order.n)?;
        order.follow()
    }
}

/// Takes all messages or none.
struct Transactions(Hub);

impl Consumer for Transactions {
    const NAME: &'static str = "transactions";
    const CONFIG_KEY: &'static str = "transactions.enabled";
    type Config = ();

    fn topics((): &()) -> Vec<Pattern> {
        Vec::new()
    }

    fn start((): (), hub: Hub) -> Result<Self, StartError> {
        Ok(Self(hub))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        Ok(self.consume_batch(slice::from_ref(message))?)
    }

    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        self.0.publish("began", &batch.len())?;
        let mut rows = Vec::new();
        for (index, message) in batch.iter().enumerate() {
            let order: Order = message.msg()?;
            match &*order.answer {
                "keep those before" => {
                    self.0.publish("committed", &rows)?;
                    return Err(BatchFailure::at(index, Failure::drop("dropped")));
                }
                "past the end" => return Err(BatchFailure::at(batch.len(), Failure::retry("lost count"))),
                _ => order.follow()?,
            }
            rows.push(order.n);
        }
        Ok(self.0.publish("committed", &rows)?)
    }
}

fn transactions() -> Harness<Transactions> {
    Harness::start(json!({})).unwrap()
}

#[test]
fn by_default_a_batch_ends_at_the_first_failure_and_those_before_it_count() {
    for (answer, kind, reason) in [
        ("later", FailureKind::Retry, "later"),
        ("drop", FailureKind::Drop, "dropped"),
        ("stop", FailureKind::Stop, "stopped"),
        ("panic", FailureKind::Panic, "in message 2"),
    ] {
        let mut consumer = Harness::<OneByOne>::start(json!({})).unwrap();
        let (done, failure) =
            summary(consumer.deliver_batch(&messages(&[(0, ""), (1, ""), (2, answer), (3, "")])));
        let (of, why) = failure.unwrap();
        assert_eq!((done, of), (2, kind));
        assert!(why.ends_with(reason), "{why}");
        assert_eq!(told(&consumer, "tried"), [0, 1, 2], "{answer}: each once, none behind it");
    }
}

#[test]
fn an_authors_own_batch_gets_all_messages_at_once() {
    let mut consumer = transactions();
    assert_eq!(summary(consumer.deliver_batch(&sixteen(99, ""))), (16, None));
    assert_eq!(told(&consumer, "committed"), [json!((0..16).collect::<Vec<_>>())]);
    consumer.deliver("a.b", json!({"n": 16})).unwrap();
    assert_eq!(told(&consumer, "began"), [1]);
    assert_eq!(summary(consumer.deliver_batch(&[])), (0, None));
    assert!(consumer.published().is_empty());
}

#[test]
fn a_message_that_breaks_a_transaction_is_found_and_the_others_are_committed_once() {
    for (answer, kind) in
        [("drop", FailureKind::Drop), ("not now", FailureKind::Retry), ("panic", FailureKind::Panic)]
    {
        for bad in 0..16 {
            let mut consumer = transactions();
            let consumed = consumer.deliver_batch(&sixteen(bad, answer));
            assert_eq!(consumed.failure.map(|failure| failure.kind()), Some(kind));
            assert_eq!(consumed.done as u64, bad, "{answer}");
            let committed: Vec<Value> = told(&consumer, "committed")
                .into_iter()
                .flat_map(|rows| rows.as_array().unwrap().clone())
                .collect();
            assert_eq!(committed, (0..bad).collect::<Vec<_>>(), "{answer}");
        }
    }
    let mut consumer = transactions();
    consumer.deliver_batch(&sixteen(7, "drop"));
    assert_eq!(told(&consumer, "began"), [16, 1, 2, 4, 8, 1]);
}

#[test]
fn when_all_fail_it_takes_two_calls_to_know() {
    let mut consumer = transactions();
    let all: Vec<_> = (0..16).map(|n| (n, "the database is away")).collect();
    let (done, failure) = summary(consumer.deliver_batch(&messages(&all)));
    assert_eq!((done, failure), (0, Some((FailureKind::Retry, "the database is away".to_owned()))));
    assert_eq!(told(&consumer, "began"), [16, 1]);
}

#[test]
fn a_stop_in_a_batch_is_taken_at_once_and_consumes_nothing() {
    let mut consumer = transactions();
    let (done, failure) = summary(consumer.deliver_batch(&sixteen(7, "stop")));
    assert_eq!((done, failure), (0, Some((FailureKind::Stop, "stopped".to_owned()))));
    assert_eq!(told(&consumer, "began"), [16]);
}

#[test]
fn a_failure_of_one_message_is_taken_at_its_word() {
    let mut consumer = transactions();
    let (done, failure) = summary(consumer.deliver_batch(&sixteen(7, "keep those before")));
    assert_eq!((done, failure), (7, Some((FailureKind::Drop, "dropped".to_owned()))));
    assert_eq!(consumer.published().len(), 2, "one call, one commit");
    // What points nowhere is never taken for a success.
    let (done, failure) = summary(consumer.deliver_batch(&sixteen(7, "past the end")));
    assert_eq!((done, failure), (15, Some((FailureKind::Retry, "lost count".to_owned()))));
}
