//! The running hub as those see it who look at it from outside: the control socket, HTTP, the service manager.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bus::StatusBoard;
use control::{ControlError, Hub, HubState, Refusal, Reloads, ReplayProgress, Stats, Status};
use crossbeam_channel::{Receiver, unbounded};
use journal::{Journal, Mode, Offset};

use crate::consumer::{ConsumerName, Handle, Order};
use crate::intake::IntakeTally;
use crate::logging::Level;
use crate::status::{self, Limits, Parts, Started};

/// The running hub, for its operator and for all who look at it.
pub(super) struct Operator {
    pub(super) started: Started,
    pub(super) state_dir: PathBuf,
    pub(super) journal: Arc<Journal>,
    pub(super) consumers: HashMap<ConsumerName, Handle>,
    pub(super) intake: Arc<IntakeTally>,
    pub(super) endpoints: StatusBoard,
    pub(super) limits: Limits,
    pub(super) log: Arc<Level>,
    pub(super) stopping: AtomicBool,
}

impl Operator {
    /// The hub begins to stop.
    pub(super) fn stops(&self) {
        self.stopping.store(true, Relaxed);
    }

    fn running(&self, consumer: &str) -> Option<&Handle> {
        self.consumers.get(consumer).filter(|handle| !handle.tally().has_ended())
    }
}

impl Hub for Operator {
    fn is_running(&self, consumer: &str) -> bool {
        self.running(consumer).is_some()
    }

    fn redeliver(&self, consumer: &str, offset: Offset) -> bool {
        let letter = self.journal.dead_letter(offset, consumer);
        let handle = self.running(consumer);
        letter.zip(handle).is_some_and(|(letter, handle)| handle.order(Order::Redeliver(letter)))
    }

    fn replay(&self, consumer: &str, offsets: Range<Offset>) -> Result<Receiver<ReplayProgress>, Refusal> {
        // Unbounded, so that the consumer waits for nobody; a client that reads nothing is cut off by the socket.
        let (progress, told) = unbounded();
        let ordered = self.running(consumer).map(|handle| handle.order(Order::Replay { offsets, progress }));
        match ordered {
            Some(true) => Ok(told),
            _ => Err(Refusal::ConsumerDoesNotRun { consumer: consumer.to_owned() }),
        }
    }

    fn status(&self) -> Result<Status, ControlError> {
        let parts = Parts {
            started: self.started,
            state: if self.stopping.load(Relaxed) { HubState::Stopping } else { HubState::Running },
            reloads: Reloads::default(),
            stats: Stats::of(&self.journal, &self.state_dir, self)?,
            intake: &self.intake,
            endpoints: &self.endpoints,
            consumers: self
                .consumers
                .iter()
                .map(|(name, handle)| (name.to_string(), handle.clone()))
                .collect(),
            limits: &self.limits,
        };
        Ok(parts.status())
    }

    fn is_alive(&self) -> bool {
        // What is in memory would be lost by the restart that a watchdog is for.
        let waits_for_all = matches!(self.journal.mode(), Mode::Durable { .. });
        let consumers = self.consumers.values().filter(|_| waits_for_all).map(Handle::tally);
        status::is_alive(&self.intake, consumers, &self.limits)
    }

    fn log_level(&self) -> String {
        self.log.get()
    }

    fn set_log_level(&self, level: &str) -> Result<(), Refusal> {
        self.log
            .set(level)
            .map_err(|error| Refusal::LogLevel { level: level.to_owned(), reason: error.to_string() })
    }

    fn trouble(&self) -> Option<String> {
        self.intake.trouble()
    }
}
