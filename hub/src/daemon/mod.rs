//! The running hub: composes the parts, starts them, waits, and drains them.

mod consumers;
mod files;
mod operator;
mod receiving;
pub mod reload;
mod reminder;
mod signals;
mod watch;
mod watchers;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use bus::{BusError, Context};
use control::{ControlError, Hub};
use journal::{Journal, JournalError};
use plugin_api::StartError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use settings::{Configuration, JournalMode};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::consumers::{Consumers, Notice, say_ended};
use self::files::Files;
use self::operator::Operator;
use self::receiving::Receiving;
use self::reload::{Asked, Current, Record, Reloading};
use self::reminder::Reminder;
use self::signals::{HangUps, Signals};
use self::watchers::Watchers;
use crate::clock::Clock;
use crate::consumer::{ConsumerName, Roster};
use crate::exit::Exit;
use crate::http::HttpError;
use crate::intake::reception::Reception;
use crate::intake::{IntakeTally, Means, Phase};
use crate::logging::Log;
use crate::outbound::Outbound;
use crate::outcome::Rejected;
use crate::plan::Plan;
use crate::report;
use crate::selection::Selection;
use crate::status::Limits;
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
    /// A consumer did not start, because it could not bind an endpoint.
    #[error("consumer `{0}` did not start: {1}")]
    Taken(ConsumerName, StartError),
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
    /// What came in last cannot be put away.
    #[error("intake is held up and cannot change what it receives: {0}")]
    IntakeHeldUp(String),
    /// Told to stop before it was up.
    #[error("told to stop while starting")]
    Stopped,
}

impl StartUpError {
    fn exit(&self) -> Exit {
        match self {
            Self::Consumer(..) | Self::Deadline(..) => Exit::Plugin,
            Self::Bus(BusError::Bind { .. } | BusError::AllInUse { .. })
            | Self::Http(_)
            | Self::Taken(..) => Exit::Address,
            Self::Bus(BusError::NoAddress(_) | BusError::Wildcard { .. } | BusError::Service { .. }) => {
                Exit::Config
            }
            Self::Journal(_) | Self::Control(_) => Exit::State,
            Self::Bus(_) | Self::System(..) | Self::IntakeHeldUp(_) => Exit::Failed,
            Self::Stopped => Exit::Clean,
        }
    }
}

/// Runs what is planned until a signal ends it. What is selected is loaded anew at each reload.
pub fn run(selection: &Selection, configuration: Configuration, plan: Plan, log: &Log) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the control plane");
            return Exit::Failed;
        }
    };
    runtime.block_on(serve(selection, Current { configuration, plan }, log))
}

/// Takes all the open files that the system allows: each endpoint needs several.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

async fn serve(selection: &Selection, mut current: Current, log: &Log) -> Exit {
    let clock = Arc::<Clock>::default();
    raise_file_limit();
    // Before anything is open that a signal could leave behind.
    let (mut signals, hang_ups) = match Signals::install() {
        Ok(installed) => installed,
        Err(error) => return failed(&StartUpError::System("handle signals", error)),
    };
    let (plan, settings) = (&current.plan, current.configuration.settings());
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
    let judge = Arc::new(Judge::new(plan.validates().then(|| settings.crypto.validator())));
    let roster = Roster::default();
    let in_memory = settings.journal.mode == JournalMode::Memory;
    let means = consumers::Means {
        journal: Arc::clone(&journal),
        judge: Arc::clone(&judge),
        outbound: Arc::clone(&outbound),
        durable: !in_memory,
    };
    let mut consumers = Consumers::new(means, roster.clone());
    for planned in &plan.consumers {
        if let Err(error) = consumers.start(planned) {
            return failed(&error);
        }
    }
    let housekeeping =
        Arc::new(Housekeeping::new(Arc::clone(&journal), Arc::clone(&clock), &settings.journal));
    let (keep_house, house_kept) = crossbeam_channel::bounded::<()>(0);
    let up = tokio::select! {
        started = consumers.started(settings.hub.start_deadline) => started,
        () = signals.stop() => Err(StartUpError::Stopped),
    };
    let mut reminder = Reminder::new(Arc::clone(&judge), Arc::clone(&outbound));
    let (reload, asked) = unbounded_channel();
    let means = |changes| Means {
        clock: Arc::clone(&clock),
        judge: Arc::clone(&judge),
        appender,
        housekeeping: Arc::clone(&housekeeping),
        seen: (!settings.journal.dedup_window.is_zero()).then_some(seen),
        consumers: roster.clone(),
        halt: consumers.halted(),
        in_memory,
        changes,
        tally: Arc::new(IntakeTally::new(judge.tally())),
        phase: Arc::default(),
    };
    let running = up.and_then(|()| {
        let receiving = Receiving::start(&context, &Reception::new(plan, settings), means)?;
        let keeper = Arc::clone(&housekeeping);
        std::thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || keeper.run(&house_kept, || reminder.look()))
            .map_err(|error| StartUpError::System("start the housekeeping thread", error))?;
        outbound.settle(&plan.subscribed, &plan.prefixes(), SETTLE);
        let operator = Arc::new(Operator {
            clock: Arc::clone(&clock),
            state_dir: settings.hub.state_dir.clone(),
            journal: Arc::clone(&journal),
            consumers: roster.clone(),
            judge: Arc::clone(&judge),
            intake: Arc::clone(&receiving.tally),
            endpoints: receiving.endpoints.clone(),
            limits: RwLock::new(Limits::new(settings)),
            log: log.level(),
            reloads: Record::default(),
            reload,
            stopping: AtomicBool::new(false),
        });
        let watchers = Watchers::start(settings, &context, &journal, &operator);
        // Nobody else would tell intake to end.
        let watchers = watchers.inspect_err(|_| receiving.set(Phase::Closed))?;
        Ok((receiving, operator, watchers))
    });
    let (exit, mut receiving, watchers) = match running {
        Ok((receiving, operator, mut watchers)) => {
            let mut hub = Reloading {
                selection,
                current,
                consumers,
                receiving,
                journal: Arc::clone(&journal),
                housekeeping,
                outbound: Arc::clone(&outbound),
                judge,
                operator,
            };
            // Before anybody hears that the hub is ready, and changes something.
            let mut files = Files::new();
            files.follow(selection, &hub.current.configuration);
            notify(&[NotifyState::Ready]);
            tracing::info!("ready");
            let exit = watch(&mut hub, &mut signals, hang_ups, files, asked).await;
            hub.operator.stops();
            let server = watchers.take_control();
            on_a_thread("control", || drop(server)).await;
            (current, consumers) = (hub.current, hub.consumers);
            (exit, Some(hub.receiving), Some(watchers))
        }
        Err(error) => (failed(&error), None, None),
    };
    let (plan, settings) = (&current.plan, current.configuration.settings());

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
        if in_memory {
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
    let left = in_memory && report::left(plan, &journal.consumers()) > 0;
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

/// Waits until the hub has to stop; with [`Exit::Clean`] if it was told to. Reloads meanwhile.
async fn watch(
    hub: &mut Reloading<'_>,
    signals: &mut Signals,
    mut hang_ups: HangUps,
    mut files: Files,
    mut asked: UnboundedReceiver<Asked>,
) -> Exit {
    let operator = Arc::clone(&hub.operator);
    let patience = sd_notify::watchdog_enabled();
    let pulse = patience.map_or(PULSE, |patience| (patience / 4).min(PULSE));
    let mut look = tokio::time::interval(pulse.max(Duration::from_millis(1)));
    let feed = || {
        if operator.is_alive() {
            notify(&[NotifyState::Watchdog]);
        }
    };
    loop {
        let (is_hint, answer) = tokio::select! {
            () = signals.stop() => return Exit::Clean,
            () = hang_ups.next() => (false, None),
            () = files.changed() => (true, None),
            Some(answer) = asked.recv() => (false, Some(answer)),
            _ = look.tick(), if patience.is_some() => {
                feed();
                continue;
            }
            notice = hub.consumers.notice() => {
                match notice {
                    Notice::Ended(name) => say_ended(&name, hub.consumers.count()),
                    Notice::StartFailed(name, error) => {
                        tracing::error!(consumer = %name, error = error.reason(), "consumer did not start");
                        return Exit::Plugin;
                    }
                    Notice::Expected => {}
                }
                continue;
            }
            () = hub.receiving.ended() => return Exit::Failed,
        };
        files.forget();
        notify_reloading();
        let reloaded = {
            let reloading = std::pin::pin!(hub.reload(is_hint));
            let mut reloading = reloading;
            loop {
                tokio::select! {
                    reloaded = &mut reloading => break reloaded,
                    () = signals.stop() => return Exit::Clean,
                    _ = look.tick(), if patience.is_some() => feed(),
                }
            }
        };
        files.follow(hub.selection, &hub.current.configuration);
        notify(&[NotifyState::Ready]);
        if let Err(refusal) = &reloaded {
            notify(&[NotifyState::Status(&refusal.to_string())]);
        }
        if let Some(answer) = answer {
            // Who has gone need not know.
            drop(answer.send(reloaded));
        }
    }
}

/// Tells the service manager that what comes next is a reload, until READY.
fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot tell the service manager of the reload"),
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
