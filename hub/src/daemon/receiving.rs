//! The intake's thread: its endpoints opened, the thread started, moved on and waited for.

use std::io;
use std::sync::Arc;

use bus::{BusError, Context, Prefixes, StatusBoard, Subscribe};
use crossbeam_channel::Receiver;
use journal::{Appender, Seen};
use message::Router;
use settings::{JournalMode, Settings};
use tokio::sync::oneshot;

use super::StartUpError;
use crate::consumer::Handle;
use crate::intake::verify::Verifier;
use crate::intake::{AtomicPhase, Intake, IntakeTally, Phase, Rejections};
use crate::plan::Plan;
use crate::storage::Housekeeping;
use crate::throttle::Throttle;
use crate::trust::Judge;

/// The intake's thread.
pub(super) struct Receiving {
    waker: std::task::Waker,
    phase: Arc<AtomicPhase>,
    /// What it took in.
    pub(super) tally: Arc<IntakeTally>,
    /// Where it comes from.
    pub(super) endpoints: StatusBoard,
    /// Answers at the thread's end; with an error if that is by a panic. Gone once it has answered.
    end: Option<oneshot::Receiver<Result<(), BusError>>>,
    failed: bool,
}

/// What the thread needs besides its endpoints.
pub(super) struct Needs {
    /// None if nobody validates.
    pub(super) judge: Option<Arc<Judge>>,
    pub(super) appender: Appender,
    pub(super) seen: Seen,
    pub(super) housekeeping: Arc<Housekeeping>,
    /// The consumers without an inbound endpoint.
    pub(super) consumers: Vec<Handle>,
    /// Closed when the hub can't wait any longer.
    pub(super) halt: Receiver<()>,
}

impl Receiving {
    pub(super) fn start(
        context: &Context,
        plan: &Plan,
        settings: &Settings,
        needs: Needs,
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
        let (waker, phase) = (subscriber.waker(), Arc::default());
        let untrusted = needs.judge.as_ref().map(|judge| judge.tally()).unwrap_or_default();
        let tally = Arc::new(IntakeTally::new(untrusted));
        let verifier = needs.judge.map(Verifier::new);
        let endpoints = subscriber.status();
        let (at_end, end) = oneshot::channel();
        let intake = Intake {
            subscriber,
            router: Router::new(plan.patterns()),
            verifier: verifier
                .transpose()
                .map_err(|error| StartUpError::System("start threads", io::Error::other(error)))?,
            inbound: plan.inbound.iter().map(|endpoint| endpoint.name.clone()).collect(),
            appender: needs.appender,
            housekeeping: needs.housekeeping,
            seen: (!settings.journal.dedup_window.is_zero()).then_some(needs.seen),
            consumers: needs.consumers,
            halt: needs.halt,
            max_body_bytes: settings.hub.max_body_bytes,
            in_memory: settings.journal.mode == JournalMode::Memory,
            complaints: Throttle::default(),
            tally: Arc::clone(&tally),
            rejections: Rejections::default(),
            phase: Arc::clone(&phase),
        };
        std::thread::Builder::new()
            .name("intake".to_owned())
            // Nobody listens any more if the hub could not wait.
            .spawn(move || drop(at_end.send(intake.run())))
            .map_err(|error| StartUpError::System("start the intake thread", error))?;
        Ok(Self { waker, phase, tally, endpoints, end: Some(end), failed: false })
    }

    /// Tells it how far to go on. Takes effect at once, or when the message in hand is in an inbox.
    pub(super) fn set(&self, phase: Phase) {
        self.phase.set(phase);
        self.waker.wake_by_ref();
    }

    /// Waits for its end. May be called again, also after a call that was given up.
    pub(super) async fn ended(&mut self) {
        let Some(end) = &mut self.end else { return };
        let result = end.await;
        self.end = None;
        match result {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(%error, "intake failed"),
            Err(_) => {
                tracing::error!("intake ended by a panic, which is a fault of the hub; please report it");
            }
        }
        self.failed = true;
    }

    /// Whether it ended otherwise than told to; said in the log.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}
