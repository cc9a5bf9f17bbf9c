//! The intake's thread: started, told what to receive, moved on and waited for.

use std::sync::Arc;
use std::time::Duration;

use bus::{Address, BusError, Context, EndpointName, StatusBoard, Subscribe};
use crossbeam_channel::{Sender, unbounded};
use tokio::sync::oneshot;

use super::StartUpError;
use crate::intake::reception::{Change, Reception, ReceptionError};
use crate::intake::{AtomicPhase, Intake, IntakeTally, Means, Phase};

/// How long an address that gets another name may take to be connected by it. It needs a second for the subscription.
const MOVING: Duration = Duration::from_secs(3);

/// How often it is looked at meanwhile.
const LOOKING: Duration = Duration::from_millis(50);

/// The intake's thread.
pub(super) struct Receiving {
    waker: std::task::Waker,
    changes: Sender<Change>,
    phase: Arc<AtomicPhase>,
    /// What it took in.
    pub(super) tally: Arc<IntakeTally>,
    /// Where it comes from.
    pub(super) endpoints: StatusBoard,
    /// Answers at the thread's end; with an error if that is by a panic. Gone once it has answered.
    end: Option<oneshot::Receiver<Result<(), BusError>>>,
    failed: bool,
}

impl Receiving {
    /// Opens what is to be received, and starts the thread. `means` makes use of the channel for changes.
    pub(super) fn start(
        context: &Context,
        reception: &Reception,
        means: impl FnOnce(crossbeam_channel::Receiver<Change>) -> Means,
    ) -> Result<Self, StartUpError> {
        let subscriber = context.subscriber()?;
        let (waker, endpoints) = (subscriber.waker(), subscriber.status());
        let (changes, changed) = unbounded();
        let means = means(changed);
        let (phase, tally) = (Arc::clone(&means.phase), Arc::clone(&means.tally));
        let intake = Intake::open(subscriber, means, reception)?;
        let (at_end, end) = oneshot::channel();
        std::thread::Builder::new()
            .name("intake".to_owned())
            // Nobody listens any more if the hub could not wait.
            .spawn(move || drop(at_end.send(intake.run())))
            .map_err(|error| StartUpError::System("start the intake thread", error))?;
        Ok(Self { waker, changes, phase, tally, endpoints, end: Some(end), failed: false })
    }

    /// Has it receive this from now on, and waits until it does.
    pub(super) async fn go_over(&self, to: Reception, within: Duration) -> Result<(), StartUpError> {
        let (done, is_done) = oneshot::channel();
        // If it has ended, so has the channel.
        drop(self.changes.send(Change { to, done }));
        self.waker.wake_by_ref();
        match tokio::time::timeout(within, is_done).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(_)) => Err(StartUpError::Stopped),
            Err(_) => Err(StartUpError::IntakeHeldUp(self.tally.trouble().unwrap_or_default())),
        }
    }

    /// Waits until these addresses, which are still subscribed to by another name, are by this one, too; but no longer than
    /// [`MOVING`].
    pub(super) async fn settled(&self, moved: &[(EndpointName, Address)]) {
        let is_settled = |(name, address): &(EndpointName, Address)| {
            let endpoint = self.endpoints.endpoint(name.as_str());
            endpoint.is_some_and(|it| it.addresses.iter().any(|it| it.address == *address && it.is_settled()))
        };
        let all_are = async {
            while !moved.iter().all(is_settled) {
                tokio::time::sleep(LOOKING).await;
            }
        };
        if tokio::time::timeout(MOVING, all_are).await.is_err() {
            let places: Vec<_> =
                moved.iter().filter(|it| !is_settled(it)).map(|it| it.1.to_string()).collect();
            tracing::warn!(
                places = places.join(" "),
                "subscribed to by another name, and not yet connected by the new one: what is sent in this moment is lost"
            );
        }
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

impl From<ReceptionError> for StartUpError {
    fn from(error: ReceptionError) -> Self {
        match error {
            ReceptionError::Bus(error) => Self::Bus(error),
            ReceptionError::Threads(error) => Self::System("start threads", std::io::Error::other(error)),
        }
    }
}
