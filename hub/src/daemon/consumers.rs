//! The consumers' threads: started together, watched, drained together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use settings::Settings;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::StartUpError;
use crate::consumer::inbox::Inbox;
use crate::consumer::runner::{Event, Runner};
use crate::consumer::{ConsumerName, Tally};
use crate::outbound::{ConsumerHost, Outbound};
use crate::plan::Plan;

/// How long consumers get to end once the drain deadline is past and nothing more is handed to them.
const HALT_GRACE: Duration = Duration::from_millis(500);

/// The consumers' threads.
pub(super) struct Consumers {
    tallies: Vec<(ConsumerName, Arc<Tally>)>,
    /// Those whose threads have not ended.
    pub(super) running: Vec<ConsumerName>,
    /// What the threads say.
    pub(super) events: UnboundedReceiver<Event>,
    /// Dropped to halt them.
    halt: Option<Sender<()>>,
}

impl Consumers {
    pub(super) fn spawn(
        plan: &Plan,
        settings: &Settings,
        outbound: &Arc<Outbound>,
    ) -> Result<(Self, Vec<Inbox>), StartUpError> {
        let (events_in, events) = unbounded_channel();
        let (halt, halted) = bounded(0);
        let mut consumers = Self { tallies: Vec::new(), running: Vec::new(), events, halt: Some(halt) };
        let mut inboxes = Vec::new();
        for planned in &plan.consumers {
            let name = planned.installed.name.clone();
            let tally = Arc::new(Tally::default());
            let capacity = planned.options.inbox.unwrap_or(settings.hub.inbox);
            let (inbox, messages) =
                Inbox::new(name.clone(), capacity, settings.hub.inbox_wait, Arc::clone(&tally));
            let runner = Runner {
                name: name.clone(),
                declared: planned.installed.declared.clone(),
                config: planned.config.clone(),
                options: planned.options.clone(),
                host: Arc::new(ConsumerHost { consumer: name.clone(), outbound: Arc::clone(outbound) }),
                inbox: messages,
                halt: halted.clone(),
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
                    Some(Event::Ended(name)) => self.running.retain(|running| *running != name),
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

    /// Waits until every consumer has ended; at the deadline, tells them to halt. Who even then has not ended.
    pub(super) async fn drain(&mut self, deadline: Instant) -> Vec<ConsumerName> {
        if !self.ended_by(deadline).await {
            self.halt();
            self.ended_by(Instant::now() + HALT_GRACE).await;
            let abandoned = self.tallies.iter().filter(|(name, _)| self.running.contains(name));
            abandoned.for_each(|(_, tally)| tally.abandon());
        }
        self.running.clone()
    }

    async fn ended_by(&mut self, deadline: Instant) -> bool {
        while !self.running.is_empty() {
            match tokio::time::timeout_at(deadline.into(), self.events.recv()).await {
                Ok(Some(Event::Ended(name))) => self.running.retain(|running| *running != name),
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    pub(super) fn halt(&mut self) {
        self.halt = None;
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&ConsumerName, &Tally)> {
        self.tallies.iter().map(|(name, tally)| (name, &**tally))
    }
}
