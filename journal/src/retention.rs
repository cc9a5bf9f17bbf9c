//! What goes when: whole sealed segments, from the oldest on.

use std::fs;
use std::ops::Range;
use std::time::SystemTime;

use crate::segments::Sealed;
use crate::shared::Durable;
use crate::sync::lock;
use crate::{Journal, JournalError, Offset, Retention};

/// What retention has taken out of the journal.
#[derive(Debug, Default)]
pub struct Retired {
    /// Segments.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What the hard limit took from consumers that had not passed it, each named once.
    pub losses: Vec<Loss>,
    /// The first thing that went wrong. The rest was done, and a later call goes on.
    pub trouble: Option<JournalError>,
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
    /// Messages go in order: one that a consumer has yet to read keeps all younger ones, too, unless the hard limit is
    /// passed. The messages of dead letters stay to be had. They count for the hard limit, and not for the others.
    #[must_use = "losses and trouble are to be said"]
    pub fn retain(&self, keep: &Retention, now: SystemTime) -> Retired {
        let mut retired = Retired::default();
        let mut result = self.shared.outcomes.retain();
        if let Some(durable) = &self.shared.durable {
            result = result.and(self.retain_messages(durable, keep, now, &mut retired));
        }
        Retired { trouble: result.err(), ..retired }
    }

    fn retain_messages(
        &self,
        durable: &Durable,
        keep: &Retention,
        now: SystemTime,
        retired: &mut Retired,
    ) -> Result<(), JournalError> {
        let _only_one = lock(&durable.retaining);
        let letters = &self.shared.dead_letters;
        // What goes for want of a letter must not be wanted again after a loss of power.
        letters.sync()?;
        let shortened = self.shorten(durable, keep, now, retired);
        let log = durable.messages.first().unwrap_or(u64::MAX);
        shortened.and(durable.kept.tidy(letters, log))
    }

    fn shorten(
        &self,
        durable: &Durable,
        keep: &Retention,
        now: SystemTime,
        retired: &mut Retired,
    ) -> Result<(), JournalError> {
        let (shared, messages) = (&self.shared, &durable.messages);
        let (mut total, kept) = (messages.bytes(), durable.kept.bytes());
        for Sealed { first, end, path } in messages.sealed() {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            // A segment was last written to when its newest message came.
            let age = metadata.modified().ok().and_then(|newest| now.duration_since(newest).ok());
            let may = keep.max_age.zip(age).is_some_and(|(most, age)| age > most)
                || keep.max_bytes.is_some_and(|most| total > most);
            let must = keep.hard_max_bytes.is_some_and(|most| total + kept > most);
            let needed = shared.cursors.slowest() < end;
            if !must && (needed || !may) {
                break;
            }
            let losers: Vec<_> = shared.cursors.all().into_iter().filter(|(_, next)| *next < end).collect();
            // Only now: a letter is there before its consumer's cursor passes the message.
            if shared.dead_letters.within(first..end).is_empty() {
                messages.remove(first)?;
            } else {
                durable.kept.take(messages, first)?;
            }
            total -= metadata.len().min(total);
            retired.segments += 1;
            retired.bytes += metadata.len();
            for (consumer, next) in losers {
                match retired.losses.iter_mut().find(|loss| loss.consumer == consumer) {
                    Some(loss) => loss.offsets.end = Offset(end),
                    None => {
                        let offsets = Offset(next.max(first))..Offset(end);
                        retired.losses.push(Loss { consumer, offsets });
                    }
                }
            }
        }
        Ok(())
    }
}
