//! The end of a hub: what was received is handed out and what was published is sent, within the drain deadline; then
//! everything is closed, and the exit code says whether something is left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use journal::Journal;
use sd_notify::NotifyState;
use settings::{JournalMode, Settings};

use super::SETTLE;
use super::consumers::Consumers;
use super::manager::notify;
use super::receiving::Receiving;
use super::signals::Signals;
use super::watchers::Watchers;
use crate::exit::Exit;
use crate::intake::Phase;
use crate::outbound::Outbound;
use crate::outcome::Rejected;
use crate::plan::Plan;
use crate::report;

/// How long consumers get to end once the drain deadline is past and nothing more is handed to them.
const HALT_GRACE: Duration = Duration::from_millis(500);

/// All that there is to stop, of a hub that may not have come up.
pub(super) struct Stopping<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Settings,
    pub(super) journal: Arc<Journal>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) consumers: Consumers,
    pub(super) receiving: Option<Receiving>,
    pub(super) watchers: Option<Watchers>,
    /// The housekeeping's thread ends when this is dropped.
    pub(super) keep_house: Sender<()>,
}

impl Stopping<'_> {
    /// Stops all of it. What a clean `exit` becomes if something is left.
    pub(super) async fn run(mut self, exit: Exit, signals: &mut Signals) -> Exit {
        notify(&[NotifyState::Stopping]);
        self.consumers.stop_starting();
        let within = self.settings.hub.drain_deadline;
        let deadline = Instant::now() + within;
        tracing::info!(?within, "stopping: handing out what was received");
        let in_time = tokio::select! {
            () = self.hand_out() => true,
            () = tokio::time::sleep_until(deadline.into()) => false,
            () = signals.stop() => {
                tracing::warn!("told to stop a second time: stopping at once");
                false
            }
        };
        if !in_time {
            self.halt().await;
        }
        let abandoned = self.consumers.abandon();
        let patience =
            if in_time { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        let sent = self.send_out(patience.max(self.settings.zmq.linger), signals).await;
        let Self { plan, journal, consumers, receiving, watchers, keep_house, .. } = self;
        drop(keep_house);
        // What the watch waits for, if it does, is a disk that does not answer.
        drop(tokio::time::timeout(HALT_GRACE, on_a_thread("watchers", || drop(watchers))).await);
        let closing = Arc::clone(&journal);
        let closed = on_a_thread("journal", move || closing.close()).await;
        if let Some(Err(error)) = &closed {
            tracing::error!(%error, "the journal was not closed cleanly");
        }
        let tally = receiving.as_ref().map(|receiving| &*receiving.tally);
        report::stopped(tally, consumers.tallies(), &journal.consumers());
        for name in &abandoned {
            tracing::error!(consumer = %name, "consumer did not stop in time; it is abandoned");
        }
        let in_memory = self.settings.journal.mode == JournalMode::Memory;
        let left = in_memory && report::left(plan, &journal.consumers()) > 0;
        let stored = tally.is_none_or(|tally| tally.rejected.get(Rejected::NotStored) == 0);
        let failed = matches!(closed, Some(Err(_))) || receiving.is_some_and(|receiving| receiving.failed());
        match exit {
            Exit::Clean if failed => Exit::Failed,
            Exit::Clean if left || !stored || !sent || !abandoned.is_empty() => Exit::Undelivered,
            exit => exit,
        }
    }

    /// Hands out what was received, step by step: what consumers publish while they finish may come back to those that
    /// have an inbound endpoint, such as the relay, so these end last. May be given up.
    async fn hand_out(&mut self) {
        let Self { consumers, receiving, journal, outbound, .. } = self;
        match &receiving {
            // It tells consumers how far to go when it has left its endpoints.
            Some(receiving) if !receiving.failed() => receiving.set(Phase::InboundOnly),
            _ => consumers.end_at(journal.next()),
        }
        consumers.ended(false).await;
        let flushing = Arc::clone(outbound);
        on_a_thread("flush", move || flushing.flush(SETTLE)).await;
        if let Some(receiving) = receiving {
            receiving.set(Phase::Closed);
            receiving.ended().await;
        }
        consumers.end_at(journal.next());
        consumers.ended(true).await;
    }

    /// Hands out nothing more.
    async fn halt(&mut self) {
        let Self { settings, consumers, receiving, journal, .. } = self;
        consumers.halt();
        if settings.journal.mode == JournalMode::Memory {
            // Intake may be waiting for room that nobody makes any more.
            journal.close().ok();
        }
        let rest = async {
            if let Some(receiving) = receiving {
                receiving.set(Phase::Closed);
                receiving.ended().await;
            }
            consumers.ended(true).await;
        };
        if tokio::time::timeout(HALT_GRACE, rest).await.is_err() {
            tracing::warn!("not everything has ended");
        }
    }

    /// Closes the publishers, which may take as long as `patience` or until a signal; whether all was sent.
    async fn send_out(&self, patience: Duration, signals: &mut Signals) -> bool {
        let closing = Arc::clone(&self.outbound);
        tokio::select! {
            sent = on_a_thread("close", move || closing.close(patience)) => sent.unwrap_or(false),
            // A plugin that is stuck while it publishes would hold the publisher for ever.
            () = tokio::time::sleep(patience + HALT_GRACE) => false,
            () = signals.stop() => false,
        }
    }
}

/// Runs what may block on a thread, and not on one of tokio's: the runtime would wait for it at the end, whatever a
/// signal says.
pub(super) async fn on_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (said, done) = tokio::sync::oneshot::channel();
    let work = move || {
        if said.send(work()).is_err() {
            tracing::debug!("done, but nobody waits any more");
        }
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::error!(%error, thread = name, "cannot start a thread");
        return None;
    }
    done.await.ok()
}
