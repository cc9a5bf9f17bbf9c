//! The running hub: composes the parts, starts them, waits, and drains them.

mod consumers;
mod operator;
mod receiving;
mod reminder;
mod signals;
mod watch;
mod watchers;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bus::{BusError, Context};
use control::{ControlError, Hub};
use journal::{Journal, JournalError};
use plugin_api::StartError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use settings::{JournalMode, Settings};

use self::consumers::Consumers;
use self::operator::Operator;
use self::receiving::{Needs, Receiving};
use self::reminder::Reminder;
use self::signals::Signals;
use self::watchers::Watchers;
use crate::consumer::{ConsumerName, Event};
use crate::exit::Exit;
use crate::http::HttpError;
use crate::intake::Phase;
use crate::logging::Level;
use crate::outbound::Outbound;
use crate::outcome::Rejected;
use crate::plan::Plan;
use crate::report;
use crate::status::{Limits, Started};
use crate::storage::{Housekeeping, Storage};
use crate::trust::Judge;

/// How long the hub waits for its own subscriptions to reach its own publishers, and for what was published to leave.
const SETTLE: Duration = Duration::from_secs(2);

/// How often a service manager with a watchdog hears that the hub lives, unless it wants to more often.
const PULSE: Duration = Duration::from_secs(1);

/// How long consumers get to end once the drain deadline is past and nothing more is handed to them.
const HALT_GRACE: Duration = Duration::from_millis(500);

/// Why a hub did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartUpError {
    /// A consumer did not start.
    #[error("consumer `{0}` did not start: {1}")]
    Consumer(ConsumerName, StartError),
    /// Not every consumer started in time.
    #[error("not started within hub.start_deadline ({1:?}): {0}")]
    Deadline(String, Duration),
    /// A socket.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The journal.
    #[error("hub.state_dir: {0}")]
    Journal(#[from] JournalError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A thread or signal handler could not be had.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
    /// Told to stop before it was up.
    #[error("told to stop while starting")]
    Stopped,
}

impl StartUpError {
    fn exit(&self) -> Exit {
        match self {
            Self::Consumer(..) | Self::Deadline(..) => Exit::Plugin,
            Self::Bus(BusError::Bind { .. } | BusError::AllInUse { .. }) | Self::Http(_) => Exit::Address,
            Self::Bus(BusError::NoAddress(_) | BusError::Wildcard { .. }) => Exit::Config,
            Self::Journal(_) | Self::Control(_) => Exit::State,
            Self::Bus(_) | Self::System(..) => Exit::Failed,
            Self::Stopped => Exit::Clean,
        }
    }
}

/// Runs what is planned until a signal ends it.
pub fn run(plan: &Plan, settings: &Settings, log: &Arc<Level>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the control plane");
            return Exit::Failed;
        }
    };
    runtime.block_on(serve(plan, settings, log))
}

/// Takes all the open files that the system allows: each endpoint needs several.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

async fn serve(plan: &Plan, settings: &Settings, log: &Arc<Level>) -> Exit {
    let started = Started::now();
    raise_file_limit();
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return failed(&StartUpError::System("handle signals", error)),
    };
    let context = match Context::new(&settings.zmq) {
        Ok(context) => context,
        Err(error) => return failed(&error.into()),
    };
    let Storage { journal, appender, seen } = match Storage::open(settings) {
        Ok(storage) => storage,
        Err(error) => return failed(&error.into()),
    };
    report::unread(plan, &journal);
    let outbound = Arc::new(Outbound::new(context.clone(), settings.clone()));
    let judge = plan.validates().then(|| Arc::new(Judge::new(settings.crypto.validator())));
    let mut consumers = match Consumers::spawn(plan, settings, &journal, judge.as_ref(), &outbound) {
        Ok(consumers) => consumers,
        Err(error) => return failed(&error),
    };
    let housekeeping = Arc::new(Housekeeping::new(Arc::clone(&journal), &settings.journal));
    let (keep_house, house_kept) = crossbeam_channel::bounded::<()>(0);
    let up = tokio::select! {
        started = consumers.started(settings.hub.start_deadline) => started,
        () = signals.stop() => Err(StartUpError::Stopped),
    };
    let mut reminder = Reminder::new(settings.crypto.clone(), judge.is_some(), Arc::clone(&outbound));
    let needs = Needs {
        judge,
        appender,
        seen,
        housekeeping: Arc::clone(&housekeeping),
        consumers: consumers.without_inbound(),
        halt: consumers.halted(),
    };
    let running = up.and_then(|()| {
        let receiving = Receiving::start(&context, plan, settings, needs)?;
        std::thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || housekeeping.run(&house_kept, || reminder.look()))
            .map_err(|error| StartUpError::System("start the housekeeping thread", error))?;
        outbound.settle(&plan.subscribed, &plan.prefixes(), SETTLE);
        let operator = Arc::new(Operator {
            started,
            state_dir: settings.hub.state_dir.clone(),
            journal: Arc::clone(&journal),
            consumers: consumers.handles(),
            intake: Arc::clone(&receiving.tally),
            endpoints: receiving.endpoints.clone(),
            limits: Limits::new(settings),
            log: Arc::clone(log),
            stopping: AtomicBool::new(false),
        });
        let watchers = Watchers::start(settings, &context, &journal, &operator);
        // Nobody else would tell intake to end.
        let watchers = watchers.inspect_err(|_| receiving.set(Phase::Closed))?;
        Ok((receiving, operator, watchers))
    });
    let (exit, mut receiving, watchers) = match running {
        Ok((mut receiving, operator, mut watchers)) => {
            notify(&[NotifyState::Ready]);
            tracing::info!("ready");
            let exit = watch(&mut signals, &mut consumers, &mut receiving, &*operator).await;
            operator.stops();
            let server = watchers.take_control();
            on_a_thread("control", || drop(server)).await;
            (exit, Some(receiving), Some(watchers))
        }
        Err(StartUpError::Consumer(name, error)) if outbound.address_taken() => {
            failed(&StartUpError::Consumer(name, error));
            (Exit::Address, None, None)
        }
        Err(error) => (failed(&error), None, None),
    };

    notify(&[NotifyState::Stopping]);
    consumers.stop_starting();
    let deadline = Instant::now() + settings.hub.drain_deadline;
    tracing::info!(within = ?settings.hub.drain_deadline, "stopping: handing out what was received");
    let in_time = tokio::select! {
        () = hand_out(&mut consumers, receiving.as_mut(), &journal, &outbound) => true,
        () = tokio::time::sleep_until(deadline.into()) => false,
        () = signals.stop() => {
            tracing::warn!("told to stop a second time: stopping at once");
            false
        }
    };
    if !in_time {
        consumers.halt();
        if settings.journal.mode == JournalMode::Memory {
            // Intake may be waiting for room that nobody makes any more.
            journal.close().ok();
        }
        let rest = async {
            if let Some(receiving) = &mut receiving {
                receiving.set(Phase::Closed);
                receiving.ended().await;
            }
            consumers.ended(true).await;
        };
        if tokio::time::timeout(HALT_GRACE, rest).await.is_err() {
            tracing::warn!("not everything has ended");
        }
    }
    let abandoned = consumers.abandon();
    let patience = if in_time { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
    let sent = close(&outbound, patience.max(settings.zmq.linger), &mut signals).await;
    drop(keep_house);
    // What the watch waits for, if it does, is a disk that does not answer.
    drop(tokio::time::timeout(HALT_GRACE, on_a_thread("watchers", || drop(watchers))).await);
    let closed = on_a_thread("journal", {
        let journal = Arc::clone(&journal);
        move || journal.close()
    });
    let stored = match closed.await {
        Some(Err(error)) => {
            tracing::error!(%error, "the journal was not closed cleanly");
            false
        }
        _ => true,
    };
    report::stopped(
        receiving.as_ref().map(|receiving| &*receiving.tally),
        consumers.tallies(),
        &journal.consumers(),
    );
    for name in &abandoned {
        tracing::error!(consumer = %name, "consumer did not stop in time; it is abandoned");
    }
    let left = settings.journal.mode == JournalMode::Memory && report::left(plan, &journal.consumers()) > 0;
    let not_stored = receiving.as_ref().map_or(0, |it| it.tally.rejected.get(Rejected::NotStored)) > 0;
    let delivered = abandoned.is_empty() && !left && !not_stored;
    match exit {
        Exit::Clean if !stored || receiving.is_some_and(|receiving| receiving.failed()) => Exit::Failed,
        Exit::Clean if !(delivered && sent) => Exit::Undelivered,
        exit => exit,
    }
}

/// Hands out what was received, step by step: what consumers publish while they finish may come back to those that
/// have an inbound endpoint, such as the relay, so these end last. May be given up.
async fn hand_out(
    consumers: &mut Consumers,
    mut receiving: Option<&mut Receiving>,
    journal: &Journal,
    outbound: &Arc<Outbound>,
) {
    match &receiving {
        // It tells consumers how far to go when it has left its endpoints.
        Some(receiving) if !receiving.failed() => receiving.set(Phase::InboundOnly),
        _ => consumers.end_at(journal.next()),
    }
    consumers.ended(false).await;
    let flushing = Arc::clone(outbound);
    on_a_thread("flush", move || flushing.flush(SETTLE)).await;
    if let Some(receiving) = &mut receiving {
        receiving.set(Phase::Closed);
        receiving.ended().await;
    }
    consumers.end_at(journal.next());
    consumers.ended(true).await;
}

/// Closes the publishers, which may take as long as `patience` or until a signal; whether all was sent.
async fn close(outbound: &Arc<Outbound>, patience: Duration, signals: &mut Signals) -> bool {
    let closing = Arc::clone(outbound);
    tokio::select! {
        sent = on_a_thread("close", move || closing.close(patience)) => sent.unwrap_or(false),
        // A plugin that is stuck while it publishes would hold the publisher for ever.
        () = tokio::time::sleep(patience + HALT_GRACE) => false,
        () = signals.stop() => false,
    }
}

/// Runs what may block on a thread, and not on one of tokio's: the runtime would wait for it at the end, whatever a
/// signal says.
async fn on_a_thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
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

/// Waits until the hub has to stop; with [`Exit::Clean`] if it was told to.
async fn watch(
    signals: &mut Signals,
    consumers: &mut Consumers,
    receiving: &mut Receiving,
    hub: &dyn Hub,
) -> Exit {
    let patience = sd_notify::watchdog_enabled();
    let pulse = patience.map_or(PULSE, |patience| (patience / 4).min(PULSE));
    let mut look = tokio::time::interval(pulse.max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            () = signals.stop() => return Exit::Clean,
            _ = look.tick(), if patience.is_some() => {
                if hub.is_alive() {
                    notify(&[NotifyState::Watchdog]);
                }
            }
            event = consumers.events.recv() => match event {
                Some(Event::Ended(name)) => {
                    consumers.running.retain(|running| *running != name);
                    tracing::error!(consumer = %name, still_running = consumers.running.len(), "consumer ended");
                    if consumers.running.is_empty() {
                        tracing::error!("NO CONSUMER IS LEFT: this hub does no work any more; restart it");
                    }
                }
                Some(Event::StartFailed(name, error)) => {
                    tracing::error!(consumer = %name, error = error.reason(), "consumer did not start");
                    return Exit::Plugin;
                }
                Some(Event::Ready(_)) | None => {}
            },
            () = receiving.ended() => return Exit::Failed,
        }
    }
}

fn failed(error: &StartUpError) -> Exit {
    tracing::error!("{error}");
    notify(&[NotifyState::Status(&error.to_string())]);
    error.exit()
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
