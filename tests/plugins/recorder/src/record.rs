//! What is told of a message.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::serde_json::Value;
use plugin_api::{Message, Verdict};
use serde::{Deserialize, Serialize, Serializer};

use crate::sink::Sink;

/// The table of each consumer that tells of every message.
#[derive(Deserialize)]
pub(crate) struct Config {
    path: PathBuf,
    /// Whether a line has the body as text, too.
    #[serde(default)]
    bodies: bool,
    /// How long a message takes, such as `"10ms"`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    delay: Duration,
    /// A file: from when it exists, there is no delay any more.
    until: Option<PathBuf>,
    /// A file: when it is gone, `answering` and `transacting` take every message that does not say how often it fails.
    poison: Option<PathBuf>,
}

/// Tells of messages, for one instance of a consumer.
pub(crate) struct Records {
    config: Config,
    sink: Sink,
    instance: u64,
}

#[derive(Serialize)]
struct Record<'a> {
    topic: &'a str,
    endpoint: &'a str,
    offset: u64,
    attempt: u32,
    replayed: bool,
    #[serde(serialize_with = "word")]
    verdict: Verdict,
    signer: Option<&'a str>,
    msg_id: Option<Cow<'a, str>>,
    msg: Option<Value>,
    bytes: usize,
    body: Option<Cow<'a, str>>,
    /// How many were taken at once.
    batch: usize,
    /// Who took it: the process, and a number that no other instance in it has.
    pid: u32,
    instance: u64,
}

fn word<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{verdict:?}"))
}

impl Records {
    pub(crate) fn open(config: Config) -> io::Result<Self> {
        static INSTANCES: AtomicU64 = AtomicU64::new(1);
        let sink = Sink::open(&config.path)?;
        Ok(Self { config, sink, instance: INSTANCES.fetch_add(1, Relaxed) })
    }

    /// Waits as long as each of these takes.
    pub(crate) fn dawdle(&self, messages: usize) {
        let delay = self.config.delay.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX));
        let began = Instant::now();
        while let Some(left) = delay.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            if self.config.until.as_ref().is_some_and(|file| file.exists()) {
                return;
            }
            thread::park_timeout(left.min(Duration::from_millis(5)));
        }
    }

    /// Whether what ailed messages is gone.
    pub(crate) fn is_cured(&self) -> bool {
        self.config.poison.as_ref().is_some_and(|file| !file.exists())
    }

    /// Tells of these, all at once.
    pub(crate) fn tell(&mut self, messages: &[Message<'_>]) -> io::Result<()> {
        let Self { config, sink, instance } = self;
        sink.lines(messages.iter().map(|message| Record {
            topic: message.topic(),
            endpoint: message.endpoint(),
            offset: message.offset(),
            attempt: message.attempt(),
            replayed: message.is_replayed(),
            verdict: message.verdict(),
            signer: message.signer(),
            msg_id: message.msg_id(),
            msg: message.msg().ok(),
            bytes: message.body().len(),
            body: config.bodies.then(|| String::from_utf8_lossy(message.body())),
            batch: messages.len(),
            pid: process::id(),
            instance: *instance,
        }))
    }
}
