//! The running hub as those see it who look at it from outside: the control socket, HTTP, the service manager.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bus::StatusBoard;
use control::{ControlError, Hub, HubState, Refusal, Reloaded, ReplayProgress, Stats, Status};
use crossbeam_channel::{Receiver, bounded, unbounded};
use jiff::SignedDuration;
use journal::{Journal, Mode, Offset};
use settings::Settings;
use tokio::sync::mpsc::UnboundedSender;

use super::reload::{Asked, Record};
use crate::clock::Clock;
use crate::consumer::{Handle, Order, Roster};
use crate::intake::IntakeTally;
use crate::logging::Level;
use crate::status::{self, Limits, Parts};
use crate::trust::Judge;

/// The running hub, for its operator and for all who look at it.
pub(super) struct Operator {
    pub(super) clock: Arc<Clock>,
    pub(super) state_dir: PathBuf,
    pub(super) journal: Arc<Journal>,
    pub(super) consumers: Roster,
    pub(super) judge: Arc<Judge>,
    pub(super) intake: Arc<IntakeTally>,
    pub(super) endpoints: StatusBoard,
    pub(super) limits: RwLock<Limits>,
    pub(super) log: Arc<Level>,
    pub(super) reloads: Record,
    /// Where reloads are asked for.
    pub(super) reload: UnboundedSender<Asked>,
    pub(super) stopping: AtomicBool,
}

impl Operator {
    /// The hub begins to stop.
    pub(super) fn stops(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// Goes by other settings from now on.
    pub(super) fn adopt(&self, settings: &Settings) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Limits::new(settings);
    }

    fn limits(&self) -> RwLockReadGuard<'_, Limits> {
        self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self, consumer: &str) -> Option<Handle> {
        self.consumers.get(consumer).filter(|handle| handle.tally().takes_orders())
    }
}

impl Hub for Operator {
    fn is_running(&self, consumer: &str) -> bool {
        self.consumers.get(consumer).is_some_and(|handle| !handle.tally().has_ended())
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

    fn reload(&self) -> Receiver<Result<Reloaded, Refusal>> {
        let (tell, told) = bounded(1);
        // Whoever stops listens no more, and drops what it was asked.
        drop(self.reload.send(tell));
        told
    }

    fn status(&self) -> Result<Status, ControlError> {
        let consumers = self.consumers.all();
        let parts = Parts {
            clock: &self.clock,
            state: if self.stopping.load(Relaxed) { HubState::Stopping } else { HubState::Running },
            reloads: self.reloads.get(),
            stats: Stats::of(&self.journal, &self.state_dir, self)?,
            intake: &self.intake,
            endpoints: &self.endpoints,
            consumers: consumers.into_iter().map(|(name, handle)| (name.to_string(), handle)).collect(),
            distrust: self.judge.trouble(),
            limits: &self.limits(),
        };
        Ok(parts.status())
    }

    fn is_alive(&self) -> bool {
        // What is in memory would be lost by the restart that a watchdog is for.
        let waits_for_all = matches!(self.journal.mode(), Mode::Durable { .. });
        let consumers = self.consumers.all();
        let consumers = consumers.values().filter(|_| waits_for_all);
        status::is_alive(&self.intake, consumers, &self.limits())
    }

    fn log_level(&self) -> String {
        self.log.get()
    }

    fn set_log_level(&self, level: &str) -> Result<(), Refusal> {
        self.log
            .set(level)
            .map_err(|error| Refusal::LogLevel { level: level.to_owned(), reason: error.to_string() })
    }

    fn clock_moved_since(&self, message: Offset) -> SignedDuration {
        self.clock.look(self.journal.next());
        self.clock.moved_since(message)
    }

    fn trouble(&self) -> Option<String> {
        self.intake.trouble()
    }
}
