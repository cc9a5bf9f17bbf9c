//! What goes when: whole sealed segments, from the oldest on.

use std::fs;
use std::ops::Range;
use std::time::SystemTime;

use crate::deadletters::DeadLetter;
use crate::{Journal, JournalError, Offset, Retention};

/// What retention has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Segments.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What the hard limit took from consumers that had not passed it.
    pub losses: Vec<Loss>,
    /// The dead letters whose messages the hard limit took; they are removed as well.
    pub dead_letters: Vec<DeadLetter>,
}

/// What a consumer will never get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Who.
    pub consumer: String,
    /// What.
    pub offsets: Range<Offset>,
}

impl Journal {
    /// Removes what need not be kept. To be called now and then, and when the disk is full. In memory mode there is
    /// nothing to do: [`Mode::Memory`](crate::Mode::Memory) has its own limit.
    ///
    /// Messages go in order: one that a consumer has yet to read, or that is a dead letter, keeps all younger ones too,
    /// unless the hard limit is passed.
    ///
    /// # Errors
    /// Disk errors; what was removed before is gone, and a later call goes on.
    pub fn retain(&self, keep: &Retention, now: SystemTime) -> Result<Retired, JournalError> {
        let mut retired = Retired::default();
        let shared = &self.shared;
        shared.outcomes.retain()?;
        let Some(segments) = &shared.segments else { return Ok(retired) };
        let mut total = segments.bytes();
        let pinned = shared.dead_letters.pinned();
        for sealed in segments.sealed() {
            let Ok(metadata) = fs::metadata(&sealed.path) else { continue };
            // A segment was last written to when its newest message came.
            let age = metadata.modified().ok().and_then(|newest| now.duration_since(newest).ok());
            let may = keep.max_age.zip(age).is_some_and(|(most, age)| age > most)
                || keep.max_bytes.is_some_and(|most| total > most);
            let must = keep.hard_max_bytes.is_some_and(|most| total > most);
            let needed = shared.cursors.slowest() < sealed.end
                || pinned.range(sealed.first..sealed.end).next().is_some();
            if !must && (needed || !may) {
                break;
            }
            let offsets = sealed.first..sealed.end;
            let lost = shared.cursors.snapshot().into_iter().filter(|(_, next)| *next < sealed.end);
            let losses: Vec<_> = lost
                .map(|(consumer, next)| Loss {
                    consumer,
                    offsets: Offset(next.max(sealed.first))..Offset(sealed.end),
                })
                .collect();
            let letters = shared.dead_letters.within(&offsets);
            segments.remove(sealed.first)?;
            total -= metadata.len().min(total);
            retired.segments += 1;
            retired.bytes += metadata.len();
            retired.losses.extend(losses);
            for letter in letters {
                retired.dead_letters.extend(shared.dead_letters.remove(letter.offset, &letter.consumer)?);
            }
        }
        Ok(retired)
    }
}
