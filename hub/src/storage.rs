//! The hub's journal: opened as the configuration says, what was found said, and kept from growing for ever.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use journal::{Appender, Archive, Journal, JournalError, Mode, Opened, Options, Recovery, Retention, Seen};
use message::Envelope;
use settings::{JournalMode, JournalSettings, Settings, WhenFull};

use crate::clock::Clock;
use crate::mark::INBOUND;

/// How often what need not be kept is removed.
const INTERVAL: Duration = Duration::from_secs(10);

/// The most that is kept of outcomes with `mode = "memory"`.
const OUTCOMES_IN_MEMORY: u64 = 4 << 20;

/// The journal, and what intake needs to fill it.
pub struct Storage {
    /// For everybody.
    pub journal: Arc<Journal>,
    /// For intake.
    pub appender: Appender,
    /// The messages that came lately.
    pub seen: Seen,
}

impl Storage {
    /// Opens the journal in `hub.state_dir`.
    ///
    /// # Errors
    /// Another hub has it, or the disk does not let.
    pub fn open(settings: &Settings) -> Result<Self, JournalError> {
        let Opened { journal, appender, recovery } =
            Journal::open(&settings.hub.state_dir, &options(&settings.journal))?;
        say(&recovery);
        if settings.journal.mode == JournalMode::Memory {
            say_what_is_on_disk(settings);
        }
        let mut seen = Seen::new(settings.journal.dedup_ids, settings.journal.dedup_window);
        if !settings.journal.dedup_window.is_zero() {
            seen.refill(&journal, SystemTime::now(), |entry| {
                let has_id =
                    || Envelope::parse(entry.body()).is_ok_and(|envelope| envelope.msg_id().is_some());
                entry.flags() & INBOUND == 0 && has_id()
            })?;
        }
        Ok(Self { journal: Arc::new(journal), appender, seen })
    }
}

fn options(settings: &JournalSettings) -> Options {
    let (mode, outcomes_bytes) = match settings.mode {
        JournalMode::Durable => {
            (Mode::Durable { sync_interval: settings.sync_interval }, settings.outcomes_bytes)
        }
        JournalMode::Memory => {
            let when_full = match settings.when_full {
                WhenFull::Block => journal::WhenFull::Block,
                WhenFull::DropOldest => journal::WhenFull::DropOldest,
                WhenFull::DropNewest => journal::WhenFull::DropNewest,
            };
            let mode = Mode::Memory { max_bytes: settings.memory_bytes, when_full };
            (mode, settings.outcomes_bytes.min(OUTCOMES_IN_MEMORY))
        }
    };
    let (ring_bytes, segment_bytes) = (settings.memory_bytes, settings.segment_bytes);
    Options { mode, ring_bytes, segment_bytes, outcomes_bytes }
}

/// In memory mode, what a durable hub has left on disk is delivered to nobody.
fn say_what_is_on_disk(settings: &Settings) {
    let Ok(archive) = Archive::open(&settings.hub.state_dir) else { return };
    let waiting = archive.consumers().iter().map(|consumer| consumer.lag).max().unwrap_or(0);
    if waiting > 0 {
        tracing::warn!(
            waiting,
            "messages are on disk that consumers have not dealt with: with journal.mode = \"memory\" nobody gets them"
        );
    }
}

fn say(recovery: &Recovery) {
    if recovery.is_clean() {
        return;
    }
    for damage in &recovery.damage {
        tracing::error!(%damage, "the journal is damaged; the rest is read");
    }
    tracing::warn!(next = recovery.next.0, "the journal was mended after a crash");
}

fn retention(settings: &JournalSettings) -> Retention {
    Retention {
        max_age: Some(settings.max_age),
        max_bytes: Some(settings.max_bytes),
        hard_max_bytes: (settings.hard_max_bytes > 0).then_some(settings.hard_max_bytes),
    }
}

/// Removes what need not be kept, until the hub ends.
pub struct Housekeeping {
    journal: Arc<Journal>,
    clock: Arc<Clock>,
    keep: Mutex<Retention>,
}

impl Housekeeping {
    /// As configured.
    #[must_use]
    pub fn new(journal: Arc<Journal>, clock: Arc<Clock>, settings: &JournalSettings) -> Self {
        Self { journal, clock, keep: Mutex::new(retention(settings)) }
    }

    /// Goes by other settings from now on.
    pub fn adopt(&self, settings: &JournalSettings) {
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = retention(settings);
    }

    /// What it keeps.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Works until `end` is closed, and does something else each time, the first time at once.
    pub fn run(&self, end: &Receiver<()>, mut something: impl FnMut()) {
        something();
        while end.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            self.tidy();
            something();
        }
    }

    /// Removes what need not be kept now; whether there was anything.
    pub fn tidy(&self) -> bool {
        let now = self.clock.look(self.journal.next());
        let mut keep = *self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        // What is old by a clock that is wrong need not be.
        keep.max_age = keep.max_age.filter(|_| self.clock.recent_jump().is_none());
        let retired = self.journal.retain(&keep, now);
        if let Some(error) = retired.trouble {
            tracing::error!(%error, "cannot remove all old messages from the journal");
        }
        if retired.segments > 0 {
            tracing::info!(
                segments = retired.segments,
                bytes = retired.bytes,
                "removed old messages from the journal"
            );
        }
        for loss in retired.losses {
            // It learns of it, and records it, when it comes there; that may be never.
            tracing::error!(
                consumer = loss.consumer,
                from = loss.offsets.start.0,
                to = loss.offsets.end.0,
                "journal.hard_max_bytes removed messages that the consumer had not dealt with"
            );
        }
        retired.segments > 0
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use journal::Record;

    use super::*;

    #[test]
    fn what_is_old_goes_but_not_by_a_clock_that_has_just_jumped() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 4096, ..Options::default() };
        let Opened { journal, mut appender, .. } = Journal::open(folder.path(), &options).unwrap();
        let body = [b'x'; 1000];
        let record = Record {
            received: SystemTime::now(),
            endpoint: "e",
            flags: 0,
            note: &[],
            topic: "t",
            body: &body,
        };
        for _ in 0..20 {
            appender.append(&[record]).unwrap();
        }
        let (journal, settings) =
            (Arc::new(journal), JournalSettings { max_age: Duration::ZERO, ..JournalSettings::default() });
        let removes = |clock| Housekeeping::new(Arc::clone(&journal), Arc::new(clock), &settings).tidy();
        assert!(!removes(Clock::that_has_jumped(SignedDuration::from_hours(24))));
        assert!(removes(Clock::default()));
    }
}
