//! The running hub: composes the parts, starts them, attends to them until it is told to stop, and stops them.

mod consumers;
mod failure;
mod files;
mod manager;
mod operator;
mod receiving;
pub mod reload;
mod reminder;
mod signals;
mod stopping;
mod watch;
mod watchers;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bus::Context;
use control::Hub;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use settings::{Configuration, JournalMode};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::consumers::{Consumers, Notice, say_ended};
pub use self::failure::StartUpError;
use self::files::Files;
use self::manager::{notify, notify_reloading};
use self::operator::Operator;
use self::receiving::Receiving;
use self::reload::{Asked, Current, Record, Reloading};
use self::reminder::Reminder;
use self::signals::{HangUps, Signals};
use self::stopping::{Stopping, on_a_thread};
use self::watchers::Watchers;
use crate::clock::Clock;
use crate::consumer::Roster;
use crate::exit::Exit;
use crate::intake::reception::Reception;
use crate::intake::{IntakeTally, Means, Phase};
use crate::logging::Log;
use crate::outbound::Outbound;
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
    let validator = plan.validates().then(|| settings.crypto.validator());
    let judge = Arc::new(Judge::new(validator, Arc::clone(&clock)));
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
    let (exit, receiving, watchers) = match running {
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
            let exit = attend(&mut hub, &mut signals, hang_ups, files, asked).await;
            hub.operator.stops();
            let server = watchers.take_control();
            on_a_thread("control", || drop(server)).await;
            (current, consumers) = (hub.current, hub.consumers);
            (exit, Some(hub.receiving), Some(watchers))
        }
        Err(error) => (failed(&error), None, None),
    };
    let stopping = Stopping {
        plan: &current.plan,
        settings: current.configuration.settings(),
        journal,
        outbound,
        consumers,
        receiving,
        watchers,
        keep_house,
    };
    stopping.run(exit, &mut signals).await
}

/// Waits until the hub has to stop; with [`Exit::Clean`] if it was told to. Reloads meanwhile.
async fn attend(
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

fn failed(error: &StartUpError) -> Exit {
    tracing::error!("{error}");
    notify(&[NotifyState::Status(&error.to_string())]);
    error.exit()
}
