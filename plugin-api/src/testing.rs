//! Runs a consumer without a hub, for the tests of its author. The consumer is called through the same shim
//! and the same conversions as in a `.so`; only the loading is left out.
//!
//! ```
//! # use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError};
//! # struct Echo(Hub);
//! # impl Consumer for Echo {
//! #     const NAME: &'static str = "echo";
//! #     const CONFIG_KEY: &'static str = "echo.enabled";
//! #     type Config = ();
//! #     fn topics(_: &()) -> Vec<Pattern> { vec!["*".into()] }
//! #     fn start(_: (), hub: Hub) -> Result<Self, StartError> { Ok(Self(hub)) }
//! #     fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
//! #         Ok(self.0.publish("echo.heard", &message.msg::<plugin_api::serde_json::Value>()?)?)
//! #     }
//! # }
//! use plugin_api::serde_json::json;
//! use plugin_api::testing::Harness;
//!
//! let mut echo = Harness::<Echo>::start(json!({})).unwrap();
//! echo.deliver("org.example.git.receive", json!({"commit": 1})).unwrap();
//! assert_eq!(echo.published(), [("echo.heard".to_owned(), json!({"commit": 1}))]);
//! echo.stop().unwrap();
//! ```

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use message::Envelope;
use serde_json::{Value, json};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::consumer::Consumer;
use crate::counts::Counts;
use crate::error::{ConfigError, ConfigProblem, Failure, Panicked, PublishError, StartError};
use crate::export::declare;
use crate::host::{Host, LogRecord, PublisherId};
use crate::instance::{Consumed, Delivery, Instance};
use crate::loader::{Declared, Wants};

/// A running consumer and a hub that remembers what the consumer did with it.
pub struct Harness<C: Consumer> {
    instance: Instance,
    hub: Arc<Recorder>,
    delivered: u64,
    consumer: PhantomData<C>,
}

/// A message that a consumer forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The endpoint that the publisher was opened for.
    pub endpoint: String,
    /// The first frame.
    pub topic: String,
    /// The second frame, as the consumer got it.
    pub body: Vec<u8>,
    /// Whether the hub was to sign it.
    pub signed: bool,
}

/// Something that a consumer, or a library that it uses, logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The name that it was logged under.
    pub consumer: String,
    /// How grave it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// The fields; `span` holds the spans around it.
    pub fields: Vec<(String, String)>,
}

impl<C: Consumer> std::fmt::Debug for Harness<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("consumer", &C::NAME).finish_non_exhaustive()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "a test shall write `json!({…})` without a `&`")]
impl<C: Consumer> Harness<C> {
    /// Starts the consumer. `config` is its table without the switch.
    ///
    /// # Errors
    /// The consumer's own; or the configuration does not fit.
    pub fn start(config: Value) -> Result<Self, StartError> {
        let hub = Arc::new(Recorder::default());
        let instance = declared::<C>().start(&config.to_string(), Arc::clone(&hub) as Arc<dyn Host>)?;
        Ok(Self { instance, hub, delivered: 0, consumer: PhantomData })
    }

    /// What the consumer asks for with this table, without starting it.
    ///
    /// # Errors
    /// The configuration does not fit.
    pub fn describe(config: Value) -> Result<Wants, ConfigError> {
        declared::<C>().describe(&config.to_string())
    }

    /// What the consumer asks for with the configuration file `file`, in which it must be switched on: proves
    /// that a sample is right.
    ///
    /// # Errors
    /// The configuration does not fit, or has no switch for this consumer.
    pub fn describe_sample(mut file: Value) -> Result<Wants, ConfigError> {
        let missing = || ConfigError {
            problems: vec![ConfigProblem {
                key_path: C::CONFIG_KEY.to_owned(),
                message: "is not true in the sample".to_owned(),
            }],
        };
        let (table, switch) = C::CONFIG_KEY.rsplit_once('.').ok_or_else(missing)?;
        let pointer = format!("/{}", table.replace('.', "/"));
        let table = file.pointer_mut(&pointer).and_then(Value::as_object_mut).ok_or_else(missing)?;
        match table.remove(switch) {
            Some(Value::Bool(true)) => Self::describe(Value::Object(take(table))),
            _ => Err(missing()),
        }
    }

    /// Delivers a message that says `msg`, in an envelope as publishers make it.
    ///
    /// # Errors
    /// What the consumer answers; a panic in it, too.
    pub fn deliver(&mut self, topic: &str, msg: Value) -> Result<(), Failure> {
        self.deliver_batch(&[(topic, msg)]).failure.map_or(Ok(()), Err)
    }

    /// Delivers messages, each a topic and a msg, as one batch; says how many are consumed, and what is with the one
    /// after them.
    pub fn deliver_batch(&mut self, messages: &[(&str, Value)]) -> Consumed {
        let envelope = |(i, (topic, msg)): (u64, &(&str, Value))| {
            let msg_id = format!("2026-00000000-0000-4000-8000-{i:012}");
            let timestamp = 1_795_216_482;
            json!({"i": i, "msg": msg, "msg_id": msg_id, "timestamp": timestamp, "topic": topic, "username": "test"})
                .to_string()
        };
        let bodies: Vec<_> = (self.delivered + 1..).zip(messages).map(envelope).collect();
        let deliveries: Vec<_> = messages
            .iter()
            .zip(&bodies)
            .map(|((topic, _), body)| Delivery::new(topic, body.as_bytes(), "test"))
            .collect();
        self.delivered += messages.len() as u64;
        self.instance.consume(&deliveries)
    }

    /// Delivers exactly this.
    ///
    /// # Errors
    /// What the consumer answers; a panic in it, too.
    pub fn deliver_as(&mut self, delivery: &Delivery<'_>) -> Result<(), Failure> {
        self.delivered += 1;
        self.instance.consume(std::slice::from_ref(delivery)).failure.map_or(Ok(()), Err)
    }

    /// Topic and msg of what the consumer published since the last call.
    pub fn published(&self) -> Vec<(String, Value)> {
        take(&mut self.hub.seen().published)
    }

    /// What the consumer forwarded since the last call.
    pub fn forwarded(&self) -> Vec<Forwarded> {
        take(&mut self.hub.seen().forwarded)
    }

    /// What the consumer logged since the last call, on all levels. Needs the process's `tracing` subscriber
    /// and `log` logger, and stays empty if the test has set its own.
    pub fn logs(&self) -> Vec<Logged> {
        take(&mut self.hub.seen().logs)
    }

    /// What the consumer has counted since its start, by name, as a hub shows it.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.hub.counts.all()
    }

    /// From now on publishing and forwarding fail for this reason, or work again.
    pub fn refuse_to_publish(&self, reason: Option<&str>) {
        self.hub.seen().refusal = reason.map(str::to_owned);
    }

    /// Stops the consumer.
    ///
    /// # Errors
    /// It panicked.
    pub fn stop(self) -> Result<(), Panicked> {
        self.instance.stop()
    }
}

fn declared<C: Consumer>() -> Declared {
    Declared::new(declare::<C>())
}

/// The hub of a harness.
#[derive(Debug, Default)]
struct Recorder {
    seen: Mutex<Seen>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Seen {
    published: Vec<(String, Value)>,
    forwarded: Vec<Forwarded>,
    logs: Vec<Logged>,
    /// The endpoints of the publishers, by their id.
    publishers: Vec<String>,
    refusal: Option<String>,
}

impl Recorder {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forwarded(
        &self,
        publisher: PublisherId,
        topic: &str,
        body: &[u8],
        signed: bool,
    ) -> Result<(), PublishError> {
        let mut seen = self.willing()?;
        let endpoint = usize::try_from(publisher.0).ok().and_then(|id| seen.publishers.get(id)).cloned();
        let endpoint = endpoint.ok_or_else(|| PublishError::new("there is no such publisher"))?;
        seen.forwarded.push(Forwarded { endpoint, topic: topic.to_owned(), body: body.to_owned(), signed });
        Ok(())
    }

    fn willing(&self) -> Result<MutexGuard<'_, Seen>, PublishError> {
        let seen = self.seen();
        seen.refusal.as_ref().map_or(Ok(()), |reason| Err(PublishError::new(reason)))?;
        Ok(seen)
    }
}

impl Host for Recorder {
    fn max_level(&self) -> LevelFilter {
        LevelFilter::TRACE
    }

    fn enabled(&self, _: Level, _: &str) -> bool {
        true
    }

    fn log(&self, record: &LogRecord<'_>) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        self.seen().logs.push(Logged {
            consumer: record.consumer.to_owned(),
            level: record.level,
            message: record.message.to_owned(),
            fields: record.fields.iter().map(owned).collect(),
        });
    }

    fn publish(&self, topic: &str, msg: &str) -> Result<(), PublishError> {
        let msg = serde_json::from_str(msg).map_err(PublishError::new)?;
        self.willing()?.published.push((topic.to_owned(), msg));
        Ok(())
    }

    fn open_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        let publishers = &mut self.seen().publishers;
        publishers.push(endpoint.to_owned());
        Ok(PublisherId(publishers.len() as u64 - 1))
    }

    fn forward(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), PublishError> {
        self.forwarded(publisher, topic, body, false)
    }

    fn open_signing_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        self.open_publisher(endpoint)
    }

    fn forward_signed(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), Failure> {
        Envelope::parse(body).map_err(|error| Failure::drop(format_args!("it cannot be signed: {error}")))?;
        Ok(self.forwarded(publisher, topic, body, true)?)
    }

    fn count(&self, name: &str, n: u64) {
        if !self.counts.add(name, n) {
            tracing::warn!(name, "counted as `other`: the name is none, or one too many");
        }
    }
}
