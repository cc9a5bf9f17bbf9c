//! A journal that nobody owns, or somebody else does: for looking only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::batch::Batch;
use crate::cursors;
use crate::deadletters::{self, DeadLetter, Letters};
use crate::disk::{DiskReader, OnDisk};
use crate::frame::{Key, Kind};
use crate::reader::Gap;
use crate::recovery::{Recovery, survey};
use crate::segments::Segments;
use crate::shared::Layout;
use crate::{ConsumerCursor, JournalError, Next, Offset, Outcome, OutcomeFilter};

/// A journal's files, looked at without a lock and without changing anything: for commands when no hub runs. Beside a
/// running hub it shows a moment of the recent past.
#[derive(Debug)]
pub struct Archive {
    messages: Segments,
    kept: Segments,
    outcomes: Segments,
    cursors: BTreeMap<String, u64>,
    letters: Letters,
    recovery: Recovery,
}

impl Archive {
    /// Reads the small files and the tail of the messages.
    ///
    /// # Errors
    /// [`JournalError::Version`], and [`JournalError::Io`] if there is no journal.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let layout = Layout(directory.to_owned());
        let key = layout.key()?.unwrap_or(Key(0));
        let messages = Segments::list(&layout.messages(), Kind::Messages, key)?;
        // Last, because a hub may move a segment there at this moment.
        let kept = Segments::list(&layout.kept(), Kind::Messages, key)?;
        let outcomes = Segments::list(&layout.outcomes(), Kind::Outcomes, key)?;
        let mut recovery = Recovery::default();
        let (mut cursors, mut letters) = (BTreeMap::new(), Letters::new());
        let (path, kind) = (layout.cursors(), Kind::Cursors);
        recovery.take(&mut survey(&path, kind, key, 0, |payload| cursors::replay(payload, &mut cursors))?);
        let (path, kind) = (layout.dead_letters(), Kind::DeadLetters);
        recovery
            .take(&mut survey(&path, kind, key, 0, |payload| deadletters::replay(payload, &mut letters))?);
        if let Some((first, path)) = messages.all().pop() {
            let mut found = survey(&path, Kind::Messages, key, first, |_| ())?;
            recovery.next = Offset(found.next);
            recovery.take(&mut found);
        }
        Ok(Self { messages, kept, outcomes, cursors, letters, recovery })
    }

    /// What was found amiss.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The oldest message kept.
    #[must_use]
    pub fn earliest(&self) -> Offset {
        self.messages.first().map_or(self.recovery.next, Offset)
    }

    /// The offset behind the newest message.
    #[must_use]
    pub fn next(&self) -> Offset {
        self.recovery.next
    }

    /// Of messages, those of dead letters included, and outcomes.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.messages.bytes() + self.kept.bytes() + self.outcomes.bytes()
    }

    /// Every consumer, by name.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerCursor> {
        let end = self.recovery.next.0;
        let cursor = |(consumer, next): (&String, &u64)| ConsumerCursor {
            consumer: consumer.clone(),
            next: Offset(*next),
            lag: end.saturating_sub(*next),
        };
        self.cursors.iter().map(cursor).collect()
    }

    /// Every dead letter, by offset.
    pub fn dead_letters(&self) -> impl Iterator<Item = &DeadLetter> {
        self.letters.values()
    }

    /// The recorded outcomes that are wanted, oldest first.
    pub fn outcomes(
        &self,
        filter: OutcomeFilter,
    ) -> impl Iterator<Item = Result<Outcome, JournalError>> + Send + use<> {
        filter.over(&self.outcomes)
    }

    /// The offset of the first message received at or after a time; that of the next one if there is none yet.
    ///
    /// # Errors
    /// Disk errors.
    pub fn find(&self, time: SystemTime) -> Result<Offset, JournalError> {
        Ok(self.messages.find(time)?.map_or(self.next(), |offset| Offset(offset).min(self.next())))
    }

    /// The messages from an offset on, as batches and gaps.
    pub fn messages(&self, from: Offset) -> impl Iterator<Item = Result<Next, JournalError>> + use<'_> {
        let (mut at, mut disk, end) = (from.0.max(self.earliest().0), DiskReader::default(), self.next().0);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            Some(match disk.read(&self.messages, at, end, 1024) {
                Ok(OnDisk::Block(block)) => {
                    at = block.end();
                    let len = block.len();
                    Ok(Next::Batch(Batch::new(Arc::new(block), 0..len)?))
                }
                Ok(OnDisk::Gap(offsets, cause)) => {
                    at = offsets.end;
                    Ok(Next::Gap(Gap { offsets: Offset(offsets.start)..Offset(offsets.end), cause }))
                }
                Err(error) => {
                    at = end;
                    Err(error)
                }
            })
        })
    }

    /// One message: of the log, or that of a dead letter.
    ///
    /// # Errors
    /// Disk errors.
    pub fn get(&self, offset: Offset) -> Result<Option<Batch>, JournalError> {
        match self.messages.get(offset.0)? {
            None => self.kept.get(offset.0),
            found => Ok(found),
        }
    }
}
