//! The hub's watch over itself: looks every few seconds, says in the log what goes wrong and when it is over, tells the
//! service manager a line, and publishes the report that Python's tools read.
//!
//! It has a thread of its own, because to look may take as long as the disk takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Context, ReportPublisher};
use control::{Hub, Problem, ProblemKind, Severity, Status};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sd_notify::NotifyState;
use settings::MonitoringSettings;

use super::StartUpError;
use super::manager::notify;
use super::operator::Operator;
use crate::monitoring::{self, Reporter};
use crate::throttle::Throttle;

/// How often it looks at what tells at once that nothing goes on.
const GLANCE: Duration = Duration::from_secs(1);

/// How often it looks at everything: as often as a Python hub reports.
const LOOK: Duration = Duration::from_secs(5);

/// The thread, until it is dropped.
pub(super) struct Watch {
    /// Dropped to end it.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(
        settings: &MonitoringSettings,
        context: &Context,
        operator: &Arc<Operator>,
    ) -> Result<Self, StartUpError> {
        let address = settings.address().ok().flatten();
        let reports = address.map(|address| {
            let reports = context.bind_reports("monitoring.socket", &address)?;
            let opened = monitoring::open_to(&address, settings.mode());
            opened.map_err(|error| StartUpError::System("set the mode of monitoring.socket", error))?;
            tracing::info!(%address, "publishing the report that fedmsg-check reads");
            Ok::<_, StartUpError>(reports)
        });
        let (end, ended) = bounded(0);
        let watchman = Watchman {
            hub: Arc::clone(operator) as _,
            reports: reports.transpose()?,
            reporter: Reporter::default(),
            trouble: None,
            known: BTreeSet::new(),
            last: None,
            complaints: Throttle::default(),
        };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || watchman.run(&ended));
        let thread = thread.map_err(|error| StartUpError::System("start the watch's thread", error))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A panic of its own was reported by the hook.
            drop(thread.join());
        }
    }
}

struct Watchman {
    hub: Arc<dyn Hub>,
    reports: Option<ReportPublisher>,
    reporter: Reporter,
    /// What was last said to keep the hub from going on.
    trouble: Option<String>,
    /// The problems that were said.
    known: BTreeSet<(ProblemKind, Option<String>)>,
    /// When everything was last looked at, and how many messages there were.
    last: Option<(Instant, u64)>,
    complaints: Throttle,
}

impl Watchman {
    fn run(mut self, ended: &Receiver<()>) {
        loop {
            self.glance();
            if self.last.is_none_or(|(at, _)| at.elapsed() >= LOOK) {
                match self.hub.status() {
                    Ok(status) => self.look(&status),
                    Err(error) => {
                        if let Some(suppressed) = self.complaints.pass() {
                            tracing::error!(%error, suppressed, "the hub cannot be looked at");
                        }
                    }
                }
            }
            if ended.recv_timeout(GLANCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn glance(&mut self) {
        let now = self.hub.trouble();
        if self.trouble == now {
            return;
        }
        match &now {
            Some(trouble) => tracing::warn!(trouble, "the hub cannot go on as it should"),
            None => tracing::info!("the hub goes on"),
        }
        self.trouble = now;
        // It is worth a look at once.
        self.last = None;
    }

    fn look(&mut self, status: &Status) {
        let messages = status.intake.messages;
        let rate =
            self.last.map(|(at, before)| messages.saturating_sub(before) as f64 / at.elapsed().as_secs_f64());
        self.last = Some((Instant::now(), messages));
        notify(&[NotifyState::Status(&line(status, rate.unwrap_or(0.0)))]);
        self.say(&status.problems);
        if let Some(reports) = &self.reports
            && let Err(error) = reports.publish(self.reporter.report(status).as_bytes())
            && let Some(suppressed) = self.complaints.pass()
        {
            tracing::warn!(%error, suppressed, "cannot publish the report");
        }
    }

    /// Says what was not said where it happened.
    fn say(&mut self, problems: &[Problem]) {
        let unsaid = problems.iter().filter(|problem| {
            use ProblemKind::{ConsumerStuck, DiskLow, EndpointSilent, IntakeStuck, NothingTrusted};
            matches!(problem.kind, IntakeStuck | ConsumerStuck | EndpointSilent | DiskLow | NothingTrusted)
        });
        let mut now = BTreeSet::new();
        for Problem { severity, kind, about, message } in unsaid {
            let which = (*kind, about.clone());
            if !self.known.contains(&which) {
                match severity {
                    Severity::Unready => tracing::error!(problem = kind.word(), "{message}"),
                    Severity::Warning => tracing::warn!(problem = kind.word(), "{message}"),
                }
            }
            now.insert(which);
        }
        for (kind, about) in self.known.difference(&now) {
            tracing::info!(problem = kind.word(), about, "that is over");
        }
        self.known = now;
    }
}

/// What `systemctl status` shows.
fn line(status: &Status, rate: f64) -> String {
    let connected = status.endpoints.iter().filter(|endpoint| endpoint.connected).count();
    let behind = status.consumers.iter().map(|consumer| consumer.place.lag).max().unwrap_or(0);
    let numbers = format!(
        "{} consumers, at most {behind} messages behind; {connected} of {} endpoints connected; {rate:.1} messages/s",
        status.consumers.len(),
        status.endpoints.len(),
    );
    match status.problems.first() {
        Some(problem) if problem.severity == Severity::Unready => format!("NOT READY: {problem}; {numbers}"),
        Some(problem) => format!("warning: {problem}; {numbers}"),
        None => numbers,
    }
}
