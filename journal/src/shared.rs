//! What the parts of a journal share, and where its files are.

use std::path::PathBuf;
use std::sync::Arc;

use crate::commit::Committer;
use crate::cursors::Cursors;
use crate::deadletters::DeadLetters;
use crate::frame::{Key, Kind};
use crate::kept::Kept;
use crate::outcomes::Outcomes;
use crate::ring::Ring;
use crate::segments::{Segments, find_key};
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;
use crate::unsynced::Unsynced;
use crate::{JournalError, Mode};

/// What the parts of a journal share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mode: Mode,
    pub(crate) ring: Ring,
    /// None in memory mode.
    pub(crate) durable: Option<Durable>,
    pub(crate) cursors: Cursors,
    pub(crate) outcomes: Outcomes,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) dropped_oldest: AtomicU64,
    pub(crate) dropped_newest: AtomicU64,
}

/// What a journal on disk has beside.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) messages: Arc<Segments>,
    pub(crate) kept: Kept,
    /// Held by the one who removes messages.
    pub(crate) retaining: Mutex<()>,
    pub(crate) committer: Committer,
}

impl Shared {
    pub(crate) fn earliest(&self) -> u64 {
        let (first, _) = self.ring.bounds();
        let oldest = self.durable.as_ref().and_then(|durable| durable.messages.first());
        oldest.map_or(first, |oldest| oldest.min(first))
    }

    pub(crate) fn committer(&self) -> Option<&Committer> {
        self.durable.as_ref().map(|durable| &durable.committer)
    }

    /// Messages before `next` were written.
    pub(crate) fn wrote(&self, unsynced: Unsynced, next: u64) {
        if let Some(committer) = self.committer() {
            committer.wrote(unsynced, next);
        }
    }

    /// There is a cursor, an outcome or a dead letter to be written.
    pub(crate) fn something(&self) {
        if let Some(committer) = self.committer() {
            committer.something();
        }
    }

    /// The thread of the group commit.
    pub(crate) fn commit(&self) {
        let Some(committer) = self.committer() else { return };
        loop {
            let round = committer.next_round();
            let last = round.last;
            let reached = self.cursors.reached();
            committer.finish(round, |durable| {
                self.outcomes.sync()?;
                self.dead_letters.sync()?;
                // Consumers may be ahead; the next round is due already then.
                self.cursors.write(reached, durable)
            });
            if last {
                return;
            }
        }
    }
}

/// Where the files of a state directory are.
pub(crate) struct Layout(pub(crate) PathBuf);

impl Layout {
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn messages(&self) -> PathBuf {
        self.0.join("messages")
    }

    pub(crate) fn kept(&self) -> PathBuf {
        self.0.join("kept")
    }

    pub(crate) fn outcomes(&self) -> PathBuf {
        self.0.join("outcomes")
    }

    pub(crate) fn cursors(&self) -> PathBuf {
        self.0.join("cursors.log")
    }

    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.0.join("dead-letters.log")
    }

    pub(crate) fn key(&self) -> Result<Option<Key>, JournalError> {
        find_key(
            &[(self.cursors(), Kind::Cursors), (self.dead_letters(), Kind::DeadLetters)],
            &[
                (self.messages(), Kind::Messages),
                (self.kept(), Kind::Messages),
                (self.outcomes(), Kind::Outcomes),
            ],
        )
    }
}
