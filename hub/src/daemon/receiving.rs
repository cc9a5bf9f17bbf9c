//! The intake's thread: its endpoints opened, the thread started and stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use bus::{BusError, Context, Prefixes, Subscribe};
use message::Router;
use settings::Settings;

use super::StartUpError;
use crate::consumer::inbox::Inbox;
use crate::intake::{Intake, IntakeTally};
use crate::plan::Plan;

/// The intake's thread.
pub(super) struct RunningIntake {
    thread: JoinHandle<Result<(), BusError>>,
    waker: std::task::Waker,
    stop: Arc<AtomicBool>,
    /// What it took in.
    pub(super) tally: Arc<IntakeTally>,
    /// Told when the thread ends.
    pub(super) ended: Arc<tokio::sync::Notify>,
}

impl RunningIntake {
    pub(super) fn spawn(
        context: &Context,
        plan: &Plan,
        settings: &Settings,
        inboxes: Vec<Inbox>,
    ) -> Result<Self, StartUpError> {
        let mut subscriber = context.subscriber()?;
        for endpoint in &plan.inbound {
            for address in subscriber.bind(endpoint, &Prefixes::everything())? {
                tracing::info!(endpoint = %endpoint.name, %address, "receiving");
            }
        }
        let prefixes = plan.prefixes();
        // Without a topic there is nothing to connect for.
        let subscribed = if prefixes.iter().next().is_some() { &*plan.subscribed } else { &[] };
        for endpoint in subscribed {
            subscriber.connect(endpoint, &prefixes)?;
        }
        let mut inbound: HashMap<_, Vec<usize>> = HashMap::new();
        for (n, consumer) in plan.consumers.iter().enumerate() {
            for name in &consumer.inbound {
                inbound.entry(name.clone()).or_default().push(n);
            }
        }
        let (waker, stop, tally) = (subscriber.waker(), Arc::default(), Arc::default());
        let ended = Arc::new(tokio::sync::Notify::new());
        let intake = Intake {
            subscriber,
            router: Router::new(plan.patterns()),
            inbound,
            inboxes,
            max_body_bytes: settings.hub.max_body_bytes,
            tally: Arc::clone(&tally),
            stop: Arc::clone(&stop),
        };
        let said = Arc::clone(&ended);
        let thread = std::thread::Builder::new()
            .name("intake".to_owned())
            .spawn(move || {
                let result = intake.run();
                said.notify_one();
                result
            })
            .map_err(|error| StartUpError::System("start the intake thread", error))?;
        Ok(Self { thread, waker, stop, tally, ended })
    }

    /// Takes the last messages in, and closes the inboxes.
    pub(super) fn stop(self) -> Result<(), BusError> {
        self.stop.store(true, Relaxed);
        self.waker.wake();
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
