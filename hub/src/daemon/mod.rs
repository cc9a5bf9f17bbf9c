//! The running hub: composes the parts, starts them, waits, and drains them.

mod consumers;
mod receiving;
mod signals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{BusError, Context};
use plugin_api::StartError;
use sd_notify::NotifyState;
use settings::Settings;

use self::consumers::Consumers;
use self::receiving::RunningIntake;
use self::signals::Signals;
use crate::consumer::ConsumerName;
use crate::consumer::runner::Event;
use crate::exit::Exit;
use crate::outbound::Outbound;
use crate::plan::Plan;
use crate::report;

/// How long the hub waits for its own subscriptions to reach its own publishers.
const SETTLE: Duration = Duration::from_secs(2);

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
            Self::Bus(BusError::Bind { .. } | BusError::AllInUse { .. }) => Exit::Address,
            Self::Bus(BusError::NoAddress(_) | BusError::Wildcard { .. }) => Exit::Config,
            Self::Bus(_) | Self::System(..) => Exit::Failed,
            Self::Stopped => Exit::Clean,
        }
    }
}

/// Runs what is planned until a signal ends it.
pub fn run(plan: &Plan, settings: &Settings) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the control plane");
            return Exit::Failed;
        }
    };
    runtime.block_on(serve(plan, settings))
}

async fn serve(plan: &Plan, settings: &Settings) -> Exit {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return failed(&StartUpError::System("handle signals", error)),
    };
    let context = match Context::new(&settings.zmq) {
        Ok(context) => context,
        Err(error) => return failed(&error.into()),
    };
    let outbound = Arc::new(Outbound::new(context.clone(), settings.clone()));
    let (mut consumers, inboxes) = match Consumers::spawn(plan, settings, &outbound) {
        Ok(spawned) => spawned,
        Err(error) => return failed(&error),
    };
    let started = tokio::select! {
        started = consumers.started(settings.hub.start_deadline) => started,
        () = signals.stop() => Err(StartUpError::Stopped),
    };
    let running = started.and_then(|()| {
        let intake = RunningIntake::spawn(&context, plan, settings, inboxes)?;
        outbound.settle(&plan.subscribed, &plan.prefixes(), SETTLE);
        Ok(intake)
    });
    let (mut exit, intake) = match running {
        Ok(intake) => {
            notify(&[NotifyState::Ready, NotifyState::Status("running")]);
            tracing::info!("ready");
            (watch(&mut signals, &mut consumers, &intake).await, Some(intake))
        }
        Err(error) => (failed(&error), None),
    };

    notify(&[NotifyState::Stopping]);
    let deadline = Instant::now() + settings.hub.drain_deadline;
    tracing::info!(within = ?settings.hub.drain_deadline, "stopping: handing out what was received");
    let tally = intake.as_ref().map(|intake| Arc::clone(&intake.tally));
    if let Some(intake) = intake
        && let Err(error) = intake.stop()
    {
        tracing::error!(%error, "intake failed");
        exit = Exit::Failed;
    }
    let abandoned = tokio::select! {
        abandoned = consumers.drain(deadline) => abandoned,
        () = signals.stop() => {
            tracing::warn!("told to stop a second time: stopping at once");
            consumers.halt();
            consumers.drain(Instant::now()).await
        }
    };
    outbound.close(deadline.saturating_duration_since(Instant::now()).max(settings.zmq.linger));
    report::stopped(tally.as_deref(), consumers.tallies());
    for name in &abandoned {
        tracing::error!(consumer = %name, "consumer did not stop in time; it is abandoned");
    }
    if exit == Exit::Clean && (!abandoned.is_empty() || report::undelivered(consumers.tallies()) > 0) {
        exit = Exit::Undelivered;
    }
    exit
}

/// Waits until the hub has to stop; with [`Exit::Clean`] if it was told to.
async fn watch(signals: &mut Signals, consumers: &mut Consumers, intake: &RunningIntake) -> Exit {
    loop {
        tokio::select! {
            () = signals.stop() => return Exit::Clean,
            event = consumers.events.recv() => match event {
                Some(Event::Ended(name)) => {
                    consumers.running.retain(|running| *running != name);
                    tracing::error!(consumer = %name, still_running = consumers.running.len(), "consumer ended");
                }
                Some(Event::StartFailed(name, error)) => {
                    tracing::error!(consumer = %name, error = error.reason(), "consumer did not start");
                    return Exit::Plugin;
                }
                Some(Event::Ready(_)) | None => {}
            },
            () = intake.ended.notified() => return Exit::Failed,
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
