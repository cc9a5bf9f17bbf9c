//! What was found when a journal was opened, and how a file is gone through for it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::frame::{FILE_HEADER, FileHeader, Key, Kind};
use crate::scan::{Found, Frame, Scan, header_of};
use crate::{JournalError, Offset};

/// What was found when a journal was opened. Nothing of it keeps the journal from being used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The offset that the next message gets.
    pub next: Offset,
    /// Writes that did not come to their end, cut off. After a crash that is normal.
    pub torn: Vec<Damage>,
    /// What cannot be read any more.
    pub damage: Vec<Damage>,
}

impl Recovery {
    /// Nothing was amiss.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.torn.is_empty() && self.damage.is_empty()
    }

    pub(crate) fn take(&mut self, found: &mut Survey) {
        self.torn.append(&mut found.torn);
        self.damage.append(&mut found.damage);
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Messages.
    Messages,
    /// Outcomes.
    Outcomes,
    /// Cursors. A consumer whose cursor is lost begins at an older one, or at the earliest message.
    Cursors,
    /// Dead letters. The message of a lost one is like any other.
    DeadLetters,
}

impl From<Kind> for Part {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Messages => Self::Messages,
            Kind::Outcomes => Self::Outcomes,
            Kind::Cursors => Self::Cursors,
            Kind::DeadLetters => Self::DeadLetters,
        }
    }
}

/// A place in a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is kept there.
    pub part: Part,
    /// The file.
    pub file: PathBuf,
    /// The bytes of it; empty where something is missing altogether.
    pub bytes: Range<u64>,
    /// The messages that are lost by it; empty if none is, or none is known to be.
    pub offsets: Range<Offset>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, bytes, offsets) = (self.file.display(), &self.bytes, &self.offsets);
        write!(f, "{file}: bytes {} to {} are unreadable", bytes.start, bytes.end)?;
        if offsets.is_empty() {
            Ok(())
        } else {
            write!(f, ", messages {} to {} lost", offsets.start, offsets.end.0 - 1)
        }
    }
}

/// What going through one file has brought.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Where the next frame can be written.
    pub(crate) end: u64,
    /// The number of the next frame, as far as this file tells.
    pub(crate) next: u64,
    /// Whether the file's own header is good.
    pub(crate) headed: bool,
    pub(crate) torn: Vec<Damage>,
    pub(crate) damage: Vec<Damage>,
}

/// Goes through a file whose first frame has the number `first`.
pub(crate) fn survey(
    path: &Path,
    kind: Kind,
    key: Key,
    first: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<Survey, JournalError> {
    let mut scan = Scan::open(path, key, first)?;
    let headed = matches!(header_of(path, kind)?, FileHeader::Good(_));
    let mut survey =
        Survey { end: FILE_HEADER as u64, next: first, headed, torn: Vec::new(), damage: Vec::new() };
    let damage = |bytes: Range<u64>, seqs: Range<u64>| {
        let seqs = if kind == Kind::Messages { seqs } else { 0..0 };
        let offsets = Offset(seqs.start)..Offset(seqs.end);
        Damage { part: kind.into(), file: path.to_owned(), bytes, offsets }
    };
    if !headed {
        let len = std::fs::metadata(path).map_err(|source| JournalError::io("read", path, source))?.len();
        let list = if len < FILE_HEADER as u64 { &mut survey.torn } else { &mut survey.damage };
        list.push(damage(0..len.min(FILE_HEADER as u64), 0..0));
    }
    // Neighbouring damage is one: how many messages it had is known by the next good one.
    let mut open: Option<Range<u64>> = None;
    loop {
        match scan.step()? {
            Found::Frame(Frame { seq, payload, .. }) => {
                if let Some(bytes) = open.take() {
                    survey.damage.push(damage(bytes, survey.next..seq));
                }
                each(scan.payload(payload));
                (survey.end, survey.next) = (scan.at(), seq.saturating_add(1));
            }
            Found::Damage { bytes, seq } => {
                let start = open.map_or(bytes.start, |open| open.start);
                open = Some(start..bytes.end);
                if let Some(seq) = seq {
                    // Its number is known, which is therefore not given again.
                    let next = seq.saturating_add(1);
                    survey.damage.push(damage(start..bytes.end, survey.next..next));
                    (survey.end, survey.next, open) = (scan.at(), next, None);
                }
            }
            Found::Tail { bytes } => {
                let start = open.take().map_or(bytes.start, |open| open.start);
                survey.torn.push(damage(start..bytes.end, 0..0));
            }
            Found::End => break,
        }
    }
    if let Some(bytes) = open {
        survey.torn.push(damage(bytes, 0..0));
    }
    Ok(survey)
}
