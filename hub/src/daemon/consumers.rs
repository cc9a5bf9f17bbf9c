//! The consumers' threads: started, watched, told to leave, drained.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::ConsumerState;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use journal::{Journal, Offset, Start};
use plugin_api::StartError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::StartUpError;
use crate::consumer::options;
use crate::consumer::runner::Runner;
use crate::consumer::{Calls, Consumer, ConsumerName, Event, Handle, Order, Profile, Roster, Run, Tally};
use crate::outbound::{ConsumerHost, Outbound};
use crate::outcome::Dropped;
use crate::plan::{PlannedConsumer, Trust};
use crate::report;
use crate::trust::Judge;

/// What every consumer is given.
pub(super) struct Means {
    pub(super) journal: Arc<Journal>,
    pub(super) judge: Arc<Judge>,
    pub(super) outbound: Arc<Outbound>,
    /// `journal.mode` is `durable`.
    pub(super) durable: bool,
}

/// The consumers' threads.
pub(super) struct Consumers {
    means: Means,
    /// Those whose threads have not ended.
    running: Vec<Running>,
    /// The same for everybody else, and those that should run and have ended.
    roster: Roster,
    /// What became of the messages of each that ever ran.
    tallies: BTreeMap<ConsumerName, Arc<Tally>>,
    runs: u64,
    reports: UnboundedSender<(Run, Event)>,
    events: UnboundedReceiver<(Run, Event)>,
    /// What they are all told; `leave` is each one's own.
    halted: Receiver<()>,
    stops: Receiver<()>,
    /// Dropped to halt them.
    halt: Option<Sender<()>>,
    /// Dropped to end the retries of those that have not started, and of messages in retry.
    stopping: Option<Sender<()>>,
}

/// A consumer's thread.
struct Running {
    run: Run,
    name: ConsumerName,
    handle: Handle,
    is_up: bool,
    /// Dropped to have it end while the hub goes on.
    leave: Option<Sender<()>>,
    /// What to start when it has ended.
    next: Option<PlannedConsumer>,
    /// It was started again after a reload that failed, and the hub goes on without it, too.
    is_again: bool,
}

/// What has happened to a consumer.
#[derive(Debug)]
pub(super) enum Notice {
    /// It is up, or has left as it was told to.
    Expected,
    /// It did not start, and the hub shall not run without it.
    StartFailed(ConsumerName, StartError),
    /// It has ended by itself.
    Ended(ConsumerName),
}

impl Consumers {
    pub(super) fn new(means: Means, roster: Roster) -> Self {
        let (reports, events) = unbounded_channel();
        let (halt, halted) = bounded(0);
        let (stopping, stops) = bounded(0);
        let (running, tallies, runs) = Default::default();
        let (halt, stopping) = (Some(halt), Some(stopping));
        Self { means, running, roster, tallies, runs, reports, events, halted, stops, halt, stopping }
    }

    /// Starts one, from its cursor; whether it has one for the first time.
    pub(super) fn start(&mut self, planned: &PlannedConsumer) -> Result<bool, StartUpError> {
        let name = planned.installed.name.clone();
        let journal = &self.means.journal;
        let is_new = !journal.consumers().iter().any(|cursor| *cursor.consumer == *name);
        let cursor = journal.register(&name, start(planned.options.start))?;
        let tally = Arc::clone(self.tallies.entry(name.clone()).or_default());
        let reader = cursor.reader();
        let (orders, ordered) = unbounded();
        let (leave, leaves) = bounded(0);
        let has_inbound = !planned.inbound.is_empty();
        let profile = Arc::new(Profile {
            topics: planned.topics.iter().map(|topic| report::topic(topic).to_owned()).collect(),
            plugin: planned.installed.library.display().to_string(),
            patience: planned.patience,
        });
        let waker = reader.waker();
        let handle = Handle { orders, waker, tally: Arc::clone(&tally), profile, has_inbound };
        self.runs += 1;
        let run = Run(self.runs);
        tally.begin(run);
        let (halt, stopping) = (self.halted.clone(), self.stops.clone());
        let consumer = Consumer {
            name: name.clone(),
            declared: planned.installed.declared.clone(),
            config: planned.config.clone(),
            options: planned.options.clone(),
            host: Arc::new(ConsumerHost {
                consumer: name.clone(),
                outbound: Arc::clone(&self.means.outbound),
                tally: Arc::clone(&tally),
                misnamed: Mutex::default(),
            }),
            journal: Arc::clone(journal),
            judge: (planned.trust == Trust::Signed).then(|| Arc::clone(&self.means.judge)),
            calls: Calls { halt, stopping, leave: leaves, durable: self.means.durable },
            tally,
            run,
            events: self.reports.clone(),
        };
        let runner = Runner { consumer: Arc::new(consumer), cursor, reader, orders: ordered };
        let planned = planned.clone();
        // The kernel cuts a thread's name at 15 bytes.
        std::thread::Builder::new()
            .name(name.to_string())
            .spawn(move || runner.run(&planned))
            .map_err(|error| StartUpError::System("start a consumer's thread", error))?;
        self.roster.enter(name.clone(), handle.clone());
        self.running.push(Running {
            run,
            name,
            handle,
            is_up: false,
            leave: Some(leave),
            next: None,
            is_again: false,
        });
        Ok(is_new)
    }

    /// Starts one again, as it was.
    fn start_again(&mut self, planned: &PlannedConsumer) -> Result<(), StartUpError> {
        self.start(planned)?;
        if let Some(started) = self.running.last_mut() {
            started.is_again = true;
        }
        Ok(())
    }

    /// Whether it runs, and is to go on or to be started again.
    pub(super) fn runs(&self, name: &str) -> bool {
        let goes_on = |it: &Running| it.leave.is_some() || it.next.is_some();
        self.running.iter().any(|running| *running.name == *name && goes_on(running))
    }

    /// Those that run, and are to go on.
    pub(super) fn count(&self) -> usize {
        self.running.iter().filter(|running| running.leave.is_some()).count()
    }

    /// Waits for what happens next to one of them.
    pub(super) async fn notice(&mut self) -> Notice {
        match self.events.recv().await {
            Some((run, event)) => self.note(run, event),
            // It never comes to this: there is a sender here.
            None => std::future::pending().await,
        }
    }

    fn note(&mut self, run: Run, event: Event) -> Notice {
        let Some(place) = self.running.iter().position(|running| running.run == run) else {
            return Notice::Expected;
        };
        match event {
            Event::Ready(_) => self.running[place].is_up = true,
            Event::StartFailed(..) if self.running[place].leave.is_none() => {}
            Event::StartFailed(name, error) if self.running[place].is_again => {
                tracing::error!(consumer = %name, error = error.reason(), "cannot be started again");
            }
            Event::StartFailed(name, error) => return Notice::StartFailed(name, error),
            Event::Ended(name) => {
                let ended = self.running.remove(place);
                // One that hung in its start may have a successor.
                if !self.running.iter().any(|running| running.name == name) {
                    self.means.outbound.release(&name);
                }
                if ended.leave.is_some() {
                    return Notice::Ended(name);
                }
                if let Some(next) = ended.next.filter(|_| self.stopping.is_some()) {
                    match self.start_again(&next) {
                        Ok(()) => {
                            tracing::info!(
                                consumer = %name,
                                "has ended, and is started again as it was; reload to change it"
                            );
                        }
                        Err(error) => tracing::error!(consumer = %name, %error, "cannot be started again"),
                    }
                }
            }
        }
        Notice::Expected
    }

    /// Waits until every consumer is up.
    pub(super) async fn started(&mut self, within: Duration) -> Result<(), StartUpError> {
        let waiting = |running: &&Running| !running.is_up && running.leave.is_some();
        let all = async {
            while self.running.iter().any(|running| waiting(&running)) {
                match self.notice().await {
                    Notice::StartFailed(name, error) => {
                        let is_taken = self.means.outbound.address_taken(&name);
                        let failed = if is_taken { StartUpError::Taken } else { StartUpError::Consumer };
                        return Err(failed(name, error));
                    }
                    Notice::Ended(name) => say_ended(&name, self.count()),
                    Notice::Expected => {}
                }
            }
            Ok(())
        };
        if let Ok(started) = tokio::time::timeout(within, all).await {
            return started;
        }
        let missing: Vec<_> = self.running.iter().filter(waiting).map(|running| &*running.name).collect();
        Err(StartUpError::Deadline(missing.join(", "), within))
    }

    /// Has these end after the message in hand, and waits for it. Those that have not ended in time will, and are not
    /// started again.
    pub(super) async fn leave(
        &mut self,
        names: &[ConsumerName],
        within: Duration,
    ) -> Result<(), Vec<ConsumerName>> {
        if names.is_empty() {
            return Ok(());
        }
        let mut leaving = BTreeSet::new();
        for running in self.running.iter_mut().filter(|running| names.contains(&running.name)) {
            running.handle.tally.set_state(running.run, ConsumerState::Leaving);
            // One that was told before and hangs in its start has read nothing, and will not.
            if running.leave.take().is_some() || running.is_up {
                leaving.insert(running.run);
            }
            running.next = None;
            running.handle.wake();
        }
        tracing::debug!(consumers = names.join(", "), "waits for consumers to leave");
        let is_meant = |running: &&Running| leaving.contains(&running.run);
        let all = async {
            while self.running.iter().any(|running| is_meant(&running)) {
                if let Notice::Ended(name) = self.notice().await {
                    say_ended(&name, self.count());
                }
            }
        };
        if tokio::time::timeout(within, all).await.is_ok() {
            return Ok(());
        }
        Err(self.running.iter().filter(is_meant).map(|running| running.name.clone()).collect())
    }

    /// Starts one as soon as the one of its name that is leaving has ended.
    pub(super) fn start_after(&mut self, planned: &PlannedConsumer) -> Result<(), StartUpError> {
        match self.running.iter_mut().find(|running| running.name == planned.installed.name && running.is_up)
        {
            Some(leaving) => leaving.next = Some(planned.clone()),
            // One that hangs in its start has read nothing, and will not.
            None => self.start_again(planned)?,
        }
        Ok(())
    }

    /// They are not to run any more, and nobody need look at them.
    pub(super) fn strike(&self, names: &[ConsumerName]) {
        names.iter().for_each(|name| self.roster.strike(name));
    }

    /// Gives up the place of one that has left: in memory, it would take the others' room.
    pub(super) fn give_up(&self, name: &ConsumerName) {
        let cursors = self.means.journal.consumers();
        let Some(lost) = cursors.iter().find(|it| *it.consumer == **name).map(|cursor| cursor.lag) else {
            return;
        };
        if let Some(tally) = self.tallies.get(name) {
            tally.dropped.add(Dropped::Lost, lost);
        }
        tracing::warn!(consumer = %name, lost, "its place in memory is given up");
        if let Err(error) = self.means.journal.forget(name) {
            tracing::error!(consumer = %name, %error, "its place cannot be given up");
        }
    }

    /// Tells all to end when they have dealt with what is before `offset`.
    pub(super) fn end_at(&self, offset: Offset) {
        for running in &self.running {
            running.handle.order(Order::EndAt(offset));
        }
    }

    /// Waits until all, or all without an inbound endpoint, have ended. May be given up and called again.
    pub(super) async fn ended(&mut self, with_inbound: bool) {
        while self.running.iter().any(|running| with_inbound || !running.handle.has_inbound()) {
            self.notice().await;
        }
    }

    /// Closed when the hub can't wait any longer.
    pub(super) fn halted(&self) -> Receiver<()> {
        self.halted.clone()
    }

    /// Tells all that the hub begins to stop.
    pub(super) fn stop_starting(&mut self) {
        self.stopping = None;
    }

    /// Tells all to end after the message in hand, and intake not to wait for the journal.
    pub(super) fn halt(&mut self) {
        self.halt = None;
    }

    /// Gives up those that have not ended; who they are.
    pub(super) fn abandon(&mut self) -> Vec<ConsumerName> {
        std::mem::take(&mut self.running).into_iter().map(|running| running.name).collect()
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&ConsumerName, &Tally)> {
        self.tallies.iter().map(|(name, tally)| (name, &**tally))
    }
}

/// Says that a consumer has ended by itself, and how many still run.
pub(super) fn say_ended(name: &ConsumerName, still_running: usize) {
    tracing::error!(consumer = %name, still_running, "consumer ended");
    if still_running == 0 {
        tracing::error!("NO CONSUMER IS LEFT: this hub does no work any more; reload or restart it");
    }
}

fn start(start: options::Start) -> Start {
    match start {
        options::Start::New => Start::New,
        options::Start::Earliest => Start::Earliest,
        options::Start::At(time) => Start::At(time),
    }
}
