//! One way to look at a journal, whether a hub owns it or nobody does.

use std::ops::Range;
use std::time::SystemTime;

use journal::{
    Archive, Batch, ConsumerCursor, DeadLetter, GapCause, Journal, JournalError, Next, Offset, Outcome,
    OutcomeFilter,
};

use crate::reply::{Gap, Mode, raw, time};
use crate::{Bound, Span};

/// As many messages are read at once.
pub(crate) const BATCH: usize = 256;

/// A journal to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    /// That of this process.
    Journal(&'a Journal),
    /// The files.
    Archive(&'a Archive),
}

/// Neighbouring messages, or the lack of them.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Messages; the last of them may be behind what was asked for.
    Batch(Batch),
    /// None of these is there.
    Gap(Range<u64>, GapCause),
}

impl Piece {
    /// Behind its last message.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Batch(batch) => batch.end().0,
            Self::Gap(offsets, _) => offsets.end,
        }
    }
}

type Each<'a, T> = Box<dyn Iterator<Item = Result<T, JournalError>> + 'a>;

impl<'a> View<'a> {
    /// The oldest message, and the one to come.
    pub(crate) fn bounds(self) -> Range<u64> {
        match self {
            Self::Journal(journal) => journal.earliest().0..journal.next().0,
            Self::Archive(archive) => archive.earliest().0..archive.next().0,
        }
    }

    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::Journal(journal) => match journal.mode() {
                journal::Mode::Durable { .. } => Mode::Durable,
                journal::Mode::Memory { .. } => Mode::Memory,
            },
            Self::Archive(_) => Mode::Durable,
        }
    }

    pub(crate) fn consumers(self) -> Vec<ConsumerCursor> {
        match self {
            Self::Journal(journal) => journal.consumers(),
            Self::Archive(archive) => archive.consumers(),
        }
    }

    pub(crate) fn dead_letters(self) -> Vec<DeadLetter> {
        match self {
            Self::Journal(journal) => journal.dead_letters(),
            Self::Archive(archive) => archive.dead_letters().cloned().collect(),
        }
    }

    pub(crate) fn get(self, offset: u64) -> Result<Option<Batch>, JournalError> {
        match self {
            Self::Journal(journal) => journal.get(Offset(offset)),
            Self::Archive(archive) => archive.get(Offset(offset)),
        }
    }

    pub(crate) fn outcomes(self, filter: OutcomeFilter) -> Result<Each<'a, Outcome>, JournalError> {
        Ok(match self {
            Self::Journal(journal) => Box::new(journal.outcomes(filter)?),
            Self::Archive(archive) => Box::new(archive.outcomes(filter)),
        })
    }

    /// All of these that are there now, in order.
    pub(crate) fn pieces(self, offsets: Range<u64>) -> Each<'a, Piece> {
        let Range { start, end } = offsets;
        let all: Each<'a, Next> = match self {
            Self::Journal(journal) => {
                let mut reader = journal.reader(Offset(start));
                Box::new(std::iter::from_fn(move || {
                    (reader.position().0 < end).then(|| reader.poll(BATCH).transpose()).flatten()
                }))
            }
            Self::Archive(archive) => Box::new(archive.messages(Offset(start))),
        };
        // An error would be met again at the same place.
        let mut failed = false;
        let pieces = all.map_while(move |next| {
            if std::mem::replace(&mut failed, next.is_err()) {
                return None;
            }
            match next {
                Ok(Next::Batch(batch)) => (batch.first().0 < end).then_some(Ok(Piece::Batch(batch))),
                Ok(Next::Gap(gap)) => {
                    let offsets = raw(&gap.offsets);
                    (offsets.start < end)
                        .then(|| Ok(Piece::Gap(offsets.start..offsets.end.min(end), gap.cause)))
                }
                Ok(Next::TimedOut | Next::Woken | Next::Closed) => None,
                Err(error) => Some(Err(error)),
            }
        });
        Box::new(pieces)
    }

    /// When the first message at or behind an offset came.
    pub(crate) fn received(self, from: u64) -> Result<Option<SystemTime>, JournalError> {
        for piece in self.pieces(from..u64::MAX) {
            if let Piece::Batch(batch) = piece? {
                return Ok(batch.iter().next().map(|entry| entry.received()));
            }
        }
        Ok(None)
    }

    /// The first message received at or after a time; the one to come if there is none yet.
    fn find(self, wanted: SystemTime) -> Result<u64, JournalError> {
        let found = match self {
            Self::Journal(journal) => journal.find(wanted),
            Self::Archive(archive) => archive.find(wanted),
        };
        found.map(|offset| offset.0)
    }

    /// What of a span that was resolved to `offsets` is older than the oldest message.
    pub(crate) fn absent(self, span: &Span, offsets: &Range<u64>) -> Option<Gap> {
        let Some(Bound::Offset(from)) = span.from else { return None };
        let to = match span.to {
            Some(Bound::Offset(to)) => to.min(offsets.start),
            _ => offsets.start,
        };
        let cause = match self.mode() {
            Mode::Durable => GapCause::Retired,
            Mode::Memory => GapCause::Dropped,
        };
        (from < to).then(|| Gap::new(from..to, cause))
    }

    /// The offsets of a span, as far as there are any: what was asked for from before the oldest message is left out.
    pub(crate) fn resolve(self, span: &Span) -> Result<Range<u64>, JournalError> {
        let there = self.bounds();
        let place = |bound: Option<Bound>, open: u64| {
            bound.map_or(Ok(open), |bound| match bound {
                Bound::Offset(offset) => Ok(offset),
                Bound::Time(wanted) => self.find(time(wanted)),
            })
        };
        let from = place(span.from, there.start)?.clamp(there.start, there.end);
        let to = place(span.to, there.end)?.clamp(from, there.end);
        Ok(from..to)
    }
}
