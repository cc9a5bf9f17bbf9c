//! Consumers that answer as each message asks, and tell of what they took in the end.

#![allow(clippy::panic, reason = "it is one of the answers")]

use std::time::Duration;
use std::{process, slice};

use plugin_api::{BatchFailure, Consumer, Failure, Hub, Message, Pattern, StartError};
use serde::Deserialize;

use crate::record::{Config, Records};

/// What a message asks for, in its msg.
#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    answer: Answer,
    /// At how many attempts; without it at every one.
    times: Option<u32>,
    /// With a retry: when.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    after: Option<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    #[default]
    Ok,
    Retry,
    Drop,
    Stop,
    Panic,
    Abort,
}

/// Answers message by message.
pub(crate) struct Answering(Records);

impl Answering {
    fn answer(&self, message: &Message<'_>) -> Result<(), Failure> {
        let Order { answer, times, after } = message.msg()?;
        let attempt = message.attempt();
        let is_over = match times {
            Some(times) => attempt > times,
            None => self.0.is_cured(),
        };
        let reason = format_args!("it asks for it, at attempt {attempt}");
        match answer {
            _ if is_over => Ok(()),
            Answer::Ok => Ok(()),
            Answer::Retry => {
                let failure = Failure::retry(reason);
                Err(match after {
                    Some(after) => failure.after(after),
                    None => failure,
                })
            }
            Answer::Drop => Err(Failure::drop(reason)),
            Answer::Stop => Err(Failure::stop(reason)),
            Answer::Panic => panic!("{reason}"),
            Answer::Abort => process::abort(),
        }
    }
}

impl Consumer for Answering {
    const NAME: &'static str = "answering";
    const CONFIG_KEY: &'static str = "answering.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(Records::open(config)?))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.0.dawdle(1);
        self.answer(message)?;
        Ok(self.0.tell(slice::from_ref(message))?)
    }
}

/// The same, but it takes all messages of a batch or none.
pub(crate) struct Transacting(Answering);

impl Consumer for Transacting {
    const NAME: &'static str = "transacting";
    const CONFIG_KEY: &'static str = "transacting.enabled";
    type Config = Config;

    fn topics(config: &Config) -> Vec<Pattern> {
        Answering::topics(config)
    }

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        Answering::start(config, hub).map(Self)
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.0.consume(message)
    }

    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        self.0.0.dawdle(batch.len());
        batch.iter().try_for_each(|message| self.0.answer(message))?;
        Ok(self.0.0.tell(batch)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use plugin_api::serde_json::{self, Value, json};
    use plugin_api::testing::Harness;
    use plugin_api::{Delivery, FailureKind};

    use super::*;

    fn records(path: &Path) -> Vec<Value> {
        let lines = fs::read_to_string(path).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_message_gets_the_answer_that_it_asks_for_as_often_as_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut answering = Harness::<Answering>::start(json!({"path": path})).unwrap();
        for (answer, kind) in [
            ("ok", None),
            ("retry", Some(FailureKind::Retry)),
            ("drop", Some(FailureKind::Drop)),
            ("stop", Some(FailureKind::Stop)),
            ("panic", Some(FailureKind::Panic)),
        ] {
            let body =
                json!({"topic": "a.b", "msg": {"answer": answer, "times": 2, "after": "7ms"}}).to_string();
            let mut attempts = [1, 2, 3].map(|attempt| {
                let delivery = Delivery { attempt, ..Delivery::new("a.b", body.as_bytes(), "e") };
                answering.deliver_as(&delivery).err()
            });
            assert_eq!(attempts.each_ref().map(|it| it.as_ref().map(Failure::kind)), [kind, kind, None]);
            let after = (answer == "retry").then_some(Duration::from_millis(7));
            assert_eq!(attempts[0].take().and_then(|failure| failure.retry_after()), after);
        }
        let taken: Vec<_> = records(&path).iter().map(|record| record["attempt"].clone()).collect();
        assert_eq!(taken, [1, 2, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn what_is_poison_as_long_as_a_file_is_there_is_taken_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, poison) = (folder.path().join("lines"), folder.path().join("poison"));
        fs::write(&poison, "").unwrap();
        let config = json!({"path": path, "poison": poison});
        let mut answering = Harness::<Answering>::start(config).unwrap();
        let asks = json!({"answer": "retry"});
        assert!(answering.deliver("a.b", asks.clone()).is_err());
        fs::remove_file(&poison).unwrap();
        answering.deliver("a.b", asks).unwrap();
        assert_eq!(records(&path).len(), 1);
    }

    #[test]
    fn a_transaction_tells_of_all_its_messages_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut transacting = Harness::<Transacting>::start(json!({"path": path})).unwrap();
        let (good, bad) = (("a.b", json!({})), ("a.b", json!({"answer": "drop"})));
        let consumed = transacting.deliver_batch(&[good.clone(), good.clone(), bad, good]);
        assert_eq!((consumed.done, consumed.failure.unwrap().kind()), (2, FailureKind::Drop));
        let sizes: Vec<_> = records(&path).iter().map(|record| record["batch"].clone()).collect();
        assert_eq!(sizes, [1, 1], "found by ones, after all four had failed");
    }
}
