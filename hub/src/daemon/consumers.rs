//! The consumers' threads: started together, watched, drained together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use journal::{Journal, Offset, Start};
use settings::{JournalMode, Settings};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::StartUpError;
use crate::consumer::options;
use crate::consumer::runner::Runner;
use crate::consumer::{Calls, Consumer, ConsumerName, Event, Handle, Order, Profile, Tally};
use crate::outbound::{ConsumerHost, Outbound};
use crate::plan::{Plan, Trust};
use crate::report;
use crate::trust::Judge;

/// The consumers' threads.
pub(super) struct Consumers {
    all: Vec<Running>,
    /// Those whose threads have not ended.
    pub(super) running: Vec<ConsumerName>,
    /// What the threads say.
    pub(super) events: UnboundedReceiver<Event>,
    /// What they are all told.
    calls: Calls,
    /// Dropped to halt them.
    halt: Option<Sender<()>>,
    /// Dropped to end the retries of those that have not started, and of messages in retry.
    stopping: Option<Sender<()>>,
}

/// A consumer's thread.
struct Running {
    name: ConsumerName,
    handle: Handle,
    has_inbound: bool,
}

impl Consumers {
    pub(super) fn spawn(
        plan: &Plan,
        settings: &Settings,
        journal: &Arc<Journal>,
        judge: Option<&Arc<Judge>>,
        outbound: &Arc<Outbound>,
    ) -> Result<Self, StartUpError> {
        let (reports, events) = unbounded_channel();
        let (halt, halted) = bounded(0);
        let (stopping, stops) = bounded(0);
        let durable = settings.journal.mode == JournalMode::Durable;
        let mut consumers = Self {
            all: Vec::new(),
            running: Vec::new(),
            events,
            calls: Calls { halt: halted, stopping: stops, durable },
            halt: Some(halt),
            stopping: Some(stopping),
        };
        for planned in &plan.consumers {
            let name = planned.installed.name.clone();
            let tally = Arc::new(Tally::default());
            let cursor = journal.register(&name, start(planned.options.start))?;
            let reader = cursor.reader();
            let (orders, ordered) = unbounded();
            let profile = Arc::new(Profile {
                topics: planned.topics.iter().map(|topic| report::topic(topic).to_owned()).collect(),
                plugin: planned.installed.library.display().to_string(),
            });
            let handle = Handle { orders, waker: reader.waker(), tally: Arc::clone(&tally), profile };
            let consumer = Consumer {
                name: name.clone(),
                declared: planned.installed.declared.clone(),
                config: planned.config.clone(),
                options: planned.options.clone(),
                host: Arc::new(ConsumerHost { consumer: name.clone(), outbound: Arc::clone(outbound) }),
                journal: Arc::clone(journal),
                judge: judge.filter(|_| planned.trust == Trust::Signed).cloned(),
                calls: consumers.calls.clone(),
                tally,
                events: reports.clone(),
            };
            let runner = Runner { consumer: Arc::new(consumer), cursor, reader, orders: ordered };
            let planned = planned.clone();
            let has_inbound = !planned.inbound.is_empty();
            // The kernel cuts a thread's name at 15 bytes.
            std::thread::Builder::new()
                .name(name.to_string())
                .spawn(move || runner.run(&planned))
                .map_err(|error| StartUpError::System("start a consumer's thread", error))?;
            consumers.all.push(Running { name: name.clone(), handle, has_inbound });
            consumers.running.push(name);
        }
        Ok(consumers)
    }

    /// Waits until every consumer is up.
    pub(super) async fn started(&mut self, within: Duration) -> Result<(), StartUpError> {
        let mut missing = self.running.clone();
        let all = async {
            while !missing.is_empty() {
                match self.events.recv().await {
                    Some(Event::Ready(name)) => missing.retain(|waiting| *waiting != name),
                    Some(Event::StartFailed(name, error)) => {
                        return Err(StartUpError::Consumer(name, error));
                    }
                    Some(Event::Ended(name)) => {
                        missing.retain(|waiting| *waiting != name);
                        self.running.retain(|running| *running != name);
                    }
                    None => return Ok(()),
                }
            }
            Ok(())
        };
        match tokio::time::timeout(within, all).await {
            Ok(started) => started,
            Err(_) => Err(StartUpError::Deadline(missing.join(", "), within)),
        }
    }

    /// Those that get only what is subscribed to.
    pub(super) fn without_inbound(&self) -> Vec<Handle> {
        self.all.iter().filter(|running| !running.has_inbound).map(|running| running.handle.clone()).collect()
    }

    /// A way to each of them.
    pub(super) fn handles(&self) -> HashMap<ConsumerName, Handle> {
        self.all.iter().map(|running| (running.name.clone(), running.handle.clone())).collect()
    }

    /// Tells all to end when they have dealt with what is before `offset`.
    pub(super) fn end_at(&self, offset: Offset) {
        for running in &self.all {
            running.handle.order(Order::EndAt(offset));
        }
    }

    /// Waits until all, or all without an inbound endpoint, have ended. May be given up and called again.
    pub(super) async fn ended(&mut self, with_inbound: bool) {
        let last = |name: &ConsumerName| self.all.iter().any(|it| it.name == *name && it.has_inbound);
        while self.running.iter().any(|name| with_inbound || !last(name)) {
            match self.events.recv().await {
                Some(Event::Ended(name)) => self.running.retain(|running| *running != name),
                Some(Event::Ready(_) | Event::StartFailed(..)) => {}
                None => return,
            }
        }
    }

    /// Closed when the hub can't wait any longer.
    pub(super) fn halted(&self) -> Receiver<()> {
        self.calls.halt.clone()
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
        std::mem::take(&mut self.running)
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&ConsumerName, &Tally)> {
        self.all.iter().map(|running| (&running.name, running.handle.tally()))
    }
}

fn start(start: options::Start) -> Start {
    match start {
        options::Start::New => Start::New,
        options::Start::Earliest => Start::Earliest,
        options::Start::At(time) => Start::At(time),
    }
}
