//! The consumers' threads: started together, watched, drained together.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use settings::Settings;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::StartUpError;
use crate::consumer::inbox::Inbox;
use crate::consumer::runner::{Event, Runner};
use crate::consumer::{ConsumerName, Tally};
use crate::outbound::{ConsumerHost, Outbound};
use crate::plan::Plan;

/// The consumers' threads.
pub(super) struct Consumers {
    tallies: Vec<(ConsumerName, Arc<Tally>)>,
    /// Those whose threads have not ended.
    pub(super) running: Vec<ConsumerName>,
    /// What the threads say.
    pub(super) events: UnboundedReceiver<Event>,
    /// Dropped to halt them.
    halt: Option<Sender<()>>,
    /// Dropped to end the retries of those that have not started.
    stopping: Option<Sender<()>>,
}

impl Consumers {
    pub(super) fn spawn(
        plan: &Plan,
        settings: &Settings,
        outbound: &Arc<Outbound>,
    ) -> Result<(Self, Vec<Inbox>), StartUpError> {
        let (events_in, events) = unbounded_channel();
        let (halt, halted) = bounded(0);
        let (stopping, stops) = bounded(0);
        let mut consumers = Self {
            tallies: Vec::new(),
            running: Vec::new(),
            events,
            halt: Some(halt),
            stopping: Some(stopping),
        };
        let mut inboxes = Vec::new();
        for planned in &plan.consumers {
            let name = planned.installed.name.clone();
            let tally = Arc::new(Tally::default());
            let capacity = planned.options.inbox.unwrap_or(settings.hub.inbox);
            let (inbox, messages) = Inbox::new(
                name.clone(),
                capacity,
                settings.hub.inbox_wait,
                halted.clone(),
                Arc::clone(&tally),
            );
            let runner = Runner {
                name: name.clone(),
                declared: planned.installed.declared.clone(),
                config: planned.config.clone(),
                options: planned.options.clone(),
                host: Arc::new(ConsumerHost { consumer: name.clone(), outbound: Arc::clone(outbound) }),
                inbox: messages,
                halt: halted.clone(),
                stopping: stops.clone(),
                tally: Arc::clone(&tally),
                events: events_in.clone(),
            };
            // The kernel cuts a thread's name at 15 bytes.
            std::thread::Builder::new()
                .name(name.to_string())
                .spawn(|| runner.run())
                .map_err(|error| StartUpError::System("start a consumer's thread", error))?;
            consumers.tallies.push((name.clone(), tally));
            consumers.running.push(name);
            inboxes.push(inbox);
        }
        Ok((consumers, inboxes))
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

    /// Waits until all of those that `meant` holds for have ended. May be given up and called again.
    pub(super) async fn ended(&mut self, meant: impl Fn(&ConsumerName) -> bool) {
        while self.running.iter().any(&meant) {
            match self.events.recv().await {
                Some(Event::Ended(name)) => self.running.retain(|running| *running != name),
                Some(Event::Ready(_) | Event::StartFailed(..)) => {}
                None => return,
            }
        }
    }

    /// Tells those that have not started not to try again.
    pub(super) fn stop_starting(&mut self) {
        self.stopping = None;
    }

    /// Tells all to end after the message in hand, and intake not to wait for them.
    pub(super) fn halt(&mut self) {
        self.halt = None;
    }

    /// Gives up those that have not ended, and counts what they leave; who they are.
    pub(super) fn abandon(&mut self) -> Vec<ConsumerName> {
        let abandoned = self.tallies.iter().filter(|(name, _)| self.running.contains(name));
        abandoned.for_each(|(_, tally)| tally.abandon());
        std::mem::take(&mut self.running)
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&ConsumerName, &Tally)> {
        self.tallies.iter().map(|(name, tally)| (name, &**tally))
    }
}
