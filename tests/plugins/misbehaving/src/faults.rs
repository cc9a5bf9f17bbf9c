//! The faults.

#![allow(clippy::panic, reason = "it is what some of them are for")]

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use plugin_api::serde_json::{Map, Value};
use plugin_api::{Failure, Hub, Message, StartError, tracing};

use crate::fault::{Config, Fault};

/// Panics before it has started.
pub(crate) struct PanicsInStart;

impl Fault for PanicsInStart {
    const NAME: &'static str = "panics-in-start";
    const KEY: &'static str = "misbehaving.panics_in_start.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        panic!("no start today")
    }
}

/// Panics on messages whose msg has `key`.
pub(crate) struct PanicsInConsume(Config);

impl Fault for PanicsInConsume {
    const NAME: &'static str = "panics-in-consume";
    const KEY: &'static str = "misbehaving.panics_in_consume.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(config))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let has_key = |msg: Map<String, Value>| msg.contains_key(&self.0.key);
        if self.0.key.is_empty() || message.msg().is_ok_and(has_key) {
            panic!("cannot stand {}", message.topic());
        }
        Ok(())
    }
}

/// Panics when it is asked to stop.
pub(crate) struct PanicsInStop;

impl Fault for PanicsInStop {
    const NAME: &'static str = "panics-in-stop";
    const KEY: &'static str = "misbehaving.panics_in_stop.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn stop(self) {
        panic!("no end");
    }
}

/// Never comes back from stop.
pub(crate) struct BlocksInStop;

impl Fault for BlocksInStop {
    const NAME: &'static str = "blocks-in-stop";
    const KEY: &'static str = "misbehaving.blocks_in_stop.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn stop(self) {
        loop {
            thread::park();
        }
    }
}

/// Comes back from consume when `file` is gone.
pub(crate) struct BlocksInConsume(Config);

impl Fault for BlocksInConsume {
    const NAME: &'static str = "blocks-in-consume";
    const KEY: &'static str = "misbehaving.blocks_in_consume.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(config))
    }

    fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> {
        if self.0.file.exists() {
            tracing::info!("in the middle of a message");
        }
        while self.0.file.exists() {
            thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// Takes a message only after it wanted it later `times` times.
pub(crate) struct PutsOff(Config, BTreeMap<u64, u32>);

impl Fault for PutsOff {
    const NAME: &'static str = "puts-off";
    const KEY: &'static str = "misbehaving.puts_off.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(config, BTreeMap::new()))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let times = self.1.entry(message.offset()).or_default();
        if *times == self.0.times {
            tracing::info!(attempt = message.attempt(), "taken in the end");
            return Ok(());
        }
        *times += 1;
        Err(Failure::later(Duration::from_millis(1), "it is not due"))
    }
}

/// Takes a message only after it was retried `times` times.
pub(crate) struct Retries(Config);

impl Fault for Retries {
    const NAME: &'static str = "retries";
    const KEY: &'static str = "misbehaving.retries.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(config))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        if message.attempt() > self.0.times {
            return Ok(());
        }
        Err(Failure::retry(format_args!("attempt {} is too early", message.attempt()))
            .after(Duration::from_millis(1)))
    }
}

/// Takes `times` milliseconds for each message, and says at the end how many it finished.
pub(crate) struct Dawdles {
    config: Config,
    finished: u64,
}

impl Fault for Dawdles {
    const NAME: &'static str = "dawdles";
    const KEY: &'static str = "misbehaving.dawdles.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { config, finished: 0 })
    }

    fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> {
        thread::park_timeout(Duration::from_millis(self.config.times.into()));
        self.finished += 1;
        Ok(())
    }

    fn stop(self) {
        tracing::info!("dawdled over {} messages", self.finished);
    }
}

/// Drops every message.
pub(crate) struct Drops;

impl Fault for Drops {
    const NAME: &'static str = "drops";
    const KEY: &'static str = "misbehaving.drops.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> {
        Err(Failure::drop("of no use"))
    }
}

/// Asks to be stopped at the first message.
pub(crate) struct StopsItself;

impl Fault for StopsItself {
    const NAME: &'static str = "stops-itself";
    const KEY: &'static str = "misbehaving.stops_itself.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> {
        Err(Failure::stop("had enough"))
    }
}

/// Can start, it says, once `file` exists.
pub(crate) struct StartsLate;

impl Fault for StartsLate {
    const NAME: &'static str = "starts-late";
    const KEY: &'static str = "misbehaving.starts_late.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        if config.file.exists() { Ok(Self) } else { Err(StartError::retry("the file is not there yet")) }
    }
}

/// Does not come back from start until `file` exists.
pub(crate) struct BlocksInStart;

impl Fault for BlocksInStart {
    const NAME: &'static str = "blocks-in-start";
    const KEY: &'static str = "misbehaving.blocks_in_start.enabled";

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        tracing::info!("starting");
        while !config.file.exists() {
            thread::park_timeout(Duration::from_millis(5));
        }
        Ok(Self)
    }
}

/// Can never start, it says.
pub(crate) struct NeverStarts;

impl Fault for NeverStarts {
    const NAME: &'static str = "never-starts";
    const KEY: &'static str = "misbehaving.never_starts.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        Err(StartError::fatal("its day is over"))
    }
}

/// Publishes the msg of each message again, `times` times, as `misbehaving.echo`; its own echoes it leaves
/// alone.
pub(crate) struct Publishes {
    config: Config,
    hub: Hub,
}

impl Fault for Publishes {
    const NAME: &'static str = "publishes";
    const KEY: &'static str = "misbehaving.publishes.enabled";

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        Ok(Self { config, hub })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        if self.config.file.exists() {
            tracing::info!("waiting for the file to go");
        }
        while self.config.file.exists() {
            thread::park_timeout(Duration::from_millis(5));
        }
        if !message.topic().ends_with("misbehaving.echo") {
            for _ in 0..self.config.times {
                self.hub.publish("misbehaving.echo", &message.msg::<Value>()?)?;
            }
        }
        Ok(())
    }
}

/// Counts under each name that msg has so many as it says, good names or not.
pub(crate) struct CountsAnything(Hub);

impl Fault for CountsAnything {
    const NAME: &'static str = "counts-anything";
    const KEY: &'static str = "misbehaving.counts_anything.enabled";

    fn start(_: Config, hub: Hub) -> Result<Self, StartError> {
        Ok(Self(hub))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        for (name, n) in message.msg::<BTreeMap<String, u64>>()? {
            self.0.count(&name, n);
        }
        Ok(())
    }
}

/// Logs in every way there is, also from a thread of its own, which then panics.
pub(crate) struct Talks;

impl Fault for Talks {
    const NAME: &'static str = "talks";
    const KEY: &'static str = "misbehaving.talks.enabled";

    fn start(_: Config, _: Hub) -> Result<Self, StartError> {
        tracing::info!("started");
        Ok(Self)
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let _outer = tracing::info_span!("outer", topic = message.topic()).entered();
        let _inner = tracing::info_span!("inner").entered();
        tracing::warn!(attempt = message.attempt(), "by tracing");
        log::warn!("by log, attempt {}", message.attempt());
        tracing::debug!("in detail");
        let speaker = thread::spawn(|| {
            tracing::warn!("by a thread");
            panic!("a thread's end");
        });
        speaker.join().map_err(|_| Failure::drop("the thread panicked"))
    }

    fn stop(self) {
        tracing::info!("stopped");
    }
}
