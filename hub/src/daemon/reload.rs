//! Reload: from a running hub to what its files say now, touching what differs and nothing else; or back to where it was.
//!
//! What is to run is loaded and checked as for a start, and held against what runs ([`Diff`]). Then, in this order:
//! endpoints and topics are added; consumers that change or go finish the message in hand and end; those that change or
//! come are started, from their cursors; endpoints and topics that nobody wants are left. Whatever goes wrong on the way
//! is undone, and the old configuration stays in force as a whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::BusError;
use control::{Fault, Refusal, Reloaded, Reloads};
use crossbeam_channel::Sender;
use jiff::Timestamp;
use journal::Journal;
use rustix::process::geteuid;
use settings::{Configuration, CryptoSettings, JournalMode, Problem, Problems, Settings, SigningError};

use super::consumers::Consumers;
use super::operator::Operator;
use super::receiving::Receiving;
use super::stopping::on_a_thread;
use super::{SETTLE, StartUpError};
use crate::check::{Finding, Severity, trust};
use crate::consumer::ConsumerName;
use crate::diff::{Diff, Sorted};
use crate::intake::reception::Reception;
use crate::outbound::Outbound;
use crate::plan::Plan;
use crate::report;
use crate::selection::Selection;
use crate::storage::Housekeeping;
use crate::trust::Judge;

/// Somebody asks for a reload, and waits for what becomes of it.
pub(super) type Asked = Sender<Result<Reloaded, Refusal>>;

/// How reloads have gone since the hub's start. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Record(Arc<Mutex<Reloads>>);

impl Default for Record {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Reloads { generation: 1, ..Reloads::default() })))
    }
}

impl Record {
    /// How it stands.
    pub(super) fn get(&self) -> Reloads {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the files say is what is in force, and has been all the time; whether a reload was refused meanwhile.
    fn forgive(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_error.take().is_some()
    }

    /// One went well, and changed something or not, or left all as it was.
    fn note(&self, outcome: Result<bool, String>) {
        let mut reloads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reloads.last = Some(Timestamp::now());
        match outcome {
            Ok(changed) => {
                reloads.generation += u64::from(changed);
                reloads.succeeded += 1;
                reloads.last_error = None;
            }
            Err(error) => {
                reloads.failed += 1;
                reloads.last_error = Some(error);
            }
        }
    }
}

/// Why the hub goes on as before.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration, or what is installed, does not let.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// A consumer did not start, an address could not be bound, and the like.
    #[error(transparent)]
    StartUp(#[from] StartUpError),
    /// Consumers were in the middle of something for too long.
    #[error("did not finish the message in hand within hub.drain_deadline ({1:?}): {0}")]
    Busy(String, Duration),
    /// What is forwarded cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// No thread to work on.
    #[error("no thread could be had for it")]
    NoThread,
}

impl ReloadError {
    fn fault(&self) -> Fault {
        match self {
            Self::Configuration(_) | Self::Signing(_) => Fault::Configuration,
            Self::StartUp(StartUpError::Consumer(..) | StartUpError::Deadline(..)) | Self::Busy(..) => {
                Fault::Consumer
            }
            Self::StartUp(
                StartUpError::Taken(..)
                | StartUpError::Bus(BusError::Bind { .. } | BusError::AllInUse { .. }),
            ) => Fault::Address,
            Self::StartUp(_) | Self::NoThread => Fault::Hub,
        }
    }
}

/// What is in force.
pub(super) struct Current {
    pub(super) configuration: Configuration,
    pub(super) plan: Plan,
}

impl Current {
    pub(super) fn settings(&self) -> &Settings {
        self.configuration.settings()
    }

    fn reception(&self) -> Reception {
        Reception::new(&self.plan, self.settings())
    }
}

/// What a reload works on.
pub(super) struct Reloading<'a> {
    pub(super) selection: &'a Selection,
    pub(super) current: Current,
    pub(super) consumers: Consumers,
    pub(super) receiving: Receiving,
    pub(super) journal: Arc<Journal>,
    pub(super) housekeeping: Arc<Housekeeping>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) judge: Arc<Judge>,
    pub(super) operator: Arc<Operator>,
}

impl Reloading<'_> {
    /// Goes over to what the files say now, or leaves all as it is. `is_hint` is for what may be nothing: then a reload that
    /// finds no difference was none.
    ///
    /// # Errors
    /// [`Refusal::NotReloaded`].
    pub(super) async fn reload(&mut self, is_hint: bool) -> Result<Reloaded, Refusal> {
        match self.try_reload(is_hint).await {
            Ok(diff) if diff.is_empty() && is_hint => {
                if self.operator.reloads.forgive() {
                    tracing::info!("the files are as they were");
                }
                Ok(self.reloaded(&diff))
            }
            Ok(diff) => {
                self.operator.reloads.note(Ok(!diff.is_empty()));
                let reloaded = self.reloaded(&diff);
                let changes: Vec<_> = reloaded.changes.iter().map(ToString::to_string).collect();
                let changes = if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") };
                tracing::info!(generation = reloaded.generation, changes, "reloaded");
                Ok(reloaded)
            }
            Err(error) => {
                let message = error.to_string();
                self.operator.reloads.note(Err(message.clone()));
                for line in message.lines() {
                    tracing::error!("not reloaded: {line}");
                }
                tracing::warn!("the hub goes on with the configuration that it has");
                Err(Refusal::NotReloaded { fault: error.fault(), message })
            }
        }
    }

    fn reloaded(&self, diff: &Diff) -> Reloaded {
        Reloaded { generation: self.operator.reloads.get().generation, changes: diff.changes() }
    }

    async fn try_reload(&mut self, is_hint: bool) -> Result<Diff, ReloadError> {
        // It runs code of plugins, and reads files.
        let selection = self.selection.clone();
        let trusted = (self.current.settings().crypto.clone(), self.current.plan.validates());
        let load = move || {
            let (configuration, plan) = selection.load()?;
            is_trustworthy((&trusted.0, trusted.1), &configuration, plan.validates())?;
            Ok::<_, Problems>((configuration, plan))
        };
        let loaded = on_a_thread("reload", load).await;
        let (configuration, plan) = loaded.ok_or(ReloadError::NoThread)??;
        let next = Current { configuration, plan };
        next.configuration.is_whole(&self.current.configuration, is_hint)?;
        let diff = Diff::new(
            (&self.current.plan, self.current.settings()),
            (&next.plan, next.settings()),
            |name| self.consumers.runs(name),
            &self.outbound.forwarded(),
        );
        let diff = diff.map_err(|keys| needs_restart(&next.configuration, &keys))?;
        if diff.is_empty() {
            // Places of keys may have moved.
            self.current = next;
            return Ok(diff);
        }
        let mut new_cursors = Vec::new();
        if let Err(error) = self.apply(&diff, &next, &mut new_cursors).await {
            self.restore(&diff, &next, &new_cursors).await;
            return Err(error);
        }
        let old = std::mem::replace(&mut self.current, next);
        self.conclude(&diff, &old).await;
        Ok(diff)
    }

    /// Does what can fail.
    async fn apply(
        &mut self,
        diff: &Diff,
        next: &Current,
        new_cursors: &mut Vec<ConsumerName>,
    ) -> Result<(), ReloadError> {
        let patience = next.settings().hub.start_deadline;
        let Sorted { added, changed, removed } = &diff.consumers;
        let drain = self.current.settings().hub.drain_deadline;
        let busy = |names: Vec<ConsumerName>| ReloadError::Busy(names.join(", "), drain);
        if in_memory(&self.current) && added.is_empty() && changed.is_empty() {
            // What is kept for those that go may be what intake waits for.
            self.consumers.leave(removed, drain).await.map_err(busy)?;
            removed.iter().for_each(|name| self.consumers.give_up(name));
        }
        let between = self.current.reception().and(&next.reception());
        self.receiving.go_over(between, patience).await?;
        // Of one that is added, an earlier run may not have ended yet.
        self.consumers.leave(&diff.touched(), drain).await.map_err(busy)?;
        self.adopt(&self.current, next).await?;
        for planned in &next.plan.consumers {
            let name = &planned.installed.name;
            if (added.contains(name) || changed.contains(name)) && self.consumers.start(planned)? {
                new_cursors.push(name.clone());
            }
        }
        self.consumers.started(patience).await?;
        self.receiving.settled(&self.current.reception().moved(&next.reception())).await;
        Ok(self.receiving.go_over(next.reception(), patience).await?)
    }

    /// Has those go by other settings who need not be stopped for it.
    async fn adopt(&self, old: &Current, new: &Current) -> Result<(), ReloadError> {
        let trust = |of: &Current| (of.settings().crypto.trust(), of.plan.validates());
        if trust(old) != trust(new) {
            self.judge.adopt(new.plan.validates().then(|| new.settings().crypto.validator()));
        }
        let settings = new.settings().clone();
        let outbound = Arc::clone(&self.outbound);
        let adopted = on_a_thread("publishers", move || outbound.adopt(&settings, SETTLE)).await;
        Ok(adopted.ok_or(ReloadError::NoThread)??)
    }

    /// Does what cannot fail.
    async fn conclude(&self, diff: &Diff, old: &Current) {
        let settings = self.current.settings();
        self.housekeeping.adopt(&settings.journal);
        self.operator.adopt(settings);
        // What was set since by hand stays otherwise. That it is a filter was checked before.
        if settings.log.level != old.settings().log.level
            && let Err(error) = self.operator.log.set(&settings.log.level)
        {
            tracing::error!(%error, "log.level");
        }
        self.consumers.strike(&diff.consumers.removed);
        let outbound = Arc::clone(&self.outbound);
        on_a_thread("publishers", move || outbound.close_unused(SETTLE)).await;
        for name in &diff.consumers.removed {
            if in_memory(&self.current) {
                self.consumers.give_up(name);
            }
        }
        if !diff.consumers.removed.is_empty() {
            report::unread(&self.current.plan, &self.journal);
        }
    }

    /// Brings back what was there before an attempt that failed.
    async fn restore(&mut self, diff: &Diff, next: &Current, new_cursors: &[ConsumerName]) {
        let drain = self.current.settings().hub.drain_deadline;
        if let Err(busy) = self.consumers.leave(&diff.touched(), drain).await {
            tracing::warn!(consumers = busy.join(", "), "not yet ended");
        }
        self.consumers.strike(&diff.consumers.added);
        for name in new_cursors {
            // It has had nothing, and is not to have anything kept for it.
            if let Err(error) = self.journal.forget(name) {
                tracing::error!(consumer = %name, %error, "its place cannot be given up");
            }
        }
        if let Err(error) = self.adopt(next, &self.current).await {
            tracing::error!(%error, "what is published does not go by the old configuration");
        }
        for planned in &self.current.plan.consumers {
            let name = &planned.installed.name;
            if (diff.consumers.changed.contains(name) || diff.consumers.removed.contains(name))
                && let Err(error) = self.consumers.start_after(planned)
            {
                tracing::error!(consumer = %name, %error, "cannot be started again");
            }
        }
        let patience = self.current.settings().hub.start_deadline;
        if let Err(error) = self.consumers.started(patience).await {
            tracing::error!(%error, "not everything runs again as before");
        }
        let outbound = Arc::clone(&self.outbound);
        on_a_thread("publishers", move || outbound.close_unused(SETTLE)).await;
        if let Err(error) = self.receiving.go_over(self.current.reception(), SETTLE).await {
            tracing::error!(%error, "not everything is received as before");
        }
    }
}

/// What trust rests on can be used as well as before: what has ended by itself is no reason against any change.
fn is_trustworthy(
    old: (&CryptoSettings, bool),
    configuration: &Configuration,
    validates: bool,
) -> Result<(), Problems> {
    let crypto = &configuration.settings().crypto;
    if old == (crypto, validates) {
        return Ok(());
    }
    let user = geteuid().as_raw();
    let known = trust::certificates(old.0, old.1, user);
    let new = trust::certificates(crypto, validates, user).into_iter();
    let errors = new.filter(|finding| finding.severity == Severity::Error && !known.contains(finding));
    let problem = |it: Finding| configuration.problem(&["crypto"], format!("{}; {}", it.what, it.mend));
    let problems: Vec<_> = errors.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn in_memory(current: &Current) -> bool {
    current.settings().journal.mode == JournalMode::Memory
}

fn needs_restart(configuration: &Configuration, keys: &[Vec<String>]) -> Problems {
    let problem = |path: &Vec<String>| -> Problem {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        configuration.problem(&path, "cannot change while the hub runs; change it back, or restart the hub")
    };
    Problems(keys.iter().map(problem).collect())
}
