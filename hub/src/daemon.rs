//! The running hub: composes the parts, starts them, waits, and drains them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{BusError, Context, Prefixes, Subscribe};
use crossbeam_channel::{Sender, bounded};
use message::Router;
use plugin_api::StartError;
use sd_notify::NotifyState;
use settings::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::consumer::inbox::Inbox;
use crate::consumer::runner::{Event, Runner};
use crate::consumer::{ConsumerName, Tally};
use crate::exit::Exit;
use crate::intake::{Intake, IntakeTally};
use crate::outbound::{ConsumerHost, Outbound};
use crate::plan::Plan;
use crate::report;

/// How long the hub waits for its own subscriptions to reach its own publishers.
const SETTLE: Duration = Duration::from_secs(2);

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

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that ends the hub.
    async fn stop(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.term.recv() => "SIGTERM",
                _ = self.int.recv() => "SIGINT",
                _ = self.hup.recv() => {
                    tracing::warn!("SIGHUP ignored: this hub does not reload; restart it");
                    continue;
                }
            };
            tracing::info!(signal = name, "told to stop");
            return;
        }
    }
}

/// The consumers' threads.
struct Consumers {
    tallies: Vec<(ConsumerName, Arc<Tally>)>,
    running: Vec<ConsumerName>,
    events: UnboundedReceiver<Event>,
    /// Dropped to halt them.
    halt: Option<Sender<()>>,
}

impl Consumers {
    fn spawn(
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
    async fn started(&mut self, within: Duration) -> Result<(), StartUpError> {
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
    async fn drain(&mut self, deadline: Instant) -> Vec<ConsumerName> {
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

    fn halt(&mut self) {
        self.halt = None;
    }

    fn tallies(&self) -> impl Iterator<Item = (&ConsumerName, &Tally)> {
        self.tallies.iter().map(|(name, tally)| (name, &**tally))
    }
}

/// The intake's thread.
struct RunningIntake {
    thread: JoinHandle<Result<(), BusError>>,
    waker: std::task::Waker,
    stop: Arc<AtomicBool>,
    tally: Arc<IntakeTally>,
    ended: Arc<tokio::sync::Notify>,
}

impl RunningIntake {
    fn spawn(
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
    fn stop(self) -> Result<(), BusError> {
        self.stop.store(true, Relaxed);
        self.waker.wake();
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
