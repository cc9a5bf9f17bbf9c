//! Messages that may end the whole process, as no panic does: noted before the plugin gets them, so that after the crash
//! they are known, and become dead letters in the end.
//!
//! The note is a dead letter that is requeued and in hand. It costs two small writes, so it is made only of what is
//! delivered alone anyway, and of the messages that were perhaps in hand at a crash.

use std::time::Duration;

use journal::{DeadLetter, Entry, Offset};
use plugin_api::Failure;

use super::{Courier, Cut};
use crate::consumer::aside::Failing;
use crate::consumer::options::OnRetry;

/// What a dead letter says whose consumer did not come to say anything.
const ENDED: &str = "the hub's process ended while the consumer had the message";

impl Courier {
    /// What is known of a message that was perhaps in hand at a crash.
    pub(super) fn suspect(&self, offset: Offset) -> Failing {
        let letter = self.consumer.journal.dead_letter(offset, &self.consumer.name);
        letter.filter(|letter| letter.in_hand).map_or_else(
            || Failing::new(offset, false),
            |letter| Failing { aside: false, ..Failing::from(&letter) },
        )
    }

    /// Whether the hub ended at the last attempt that it had.
    pub(super) fn has_ended_the_hub(&self, failing: &Failing) -> bool {
        failing.in_hand && failing.attempts.is_multiple_of(self.consumer.options.max_attempts)
    }

    /// Makes a dead letter of it.
    pub(super) fn condemn(&mut self, failing: &mut Failing, entry: &Entry<'_>) -> Result<(), Cut> {
        // The attempt is counted when it is decided on.
        failing.attempts -= 1;
        self.failed(failing, entry, &Failure::retry(ENDED), Duration::ZERO, OnRetry::Hold).map(drop)
    }

    /// Notes that the consumer gets it now. In memory nothing would be left to read.
    pub(super) fn note(&mut self, failing: &mut Failing) -> Result<(), Cut> {
        if !self.consumer.calls.durable {
            return Ok(());
        }
        (failing.buried, failing.in_hand) = (true, false);
        let attempts = failing.attempts + 1;
        let letter = DeadLetter { attempts, in_hand: true, ..self.letter(failing, ENDED.to_owned()) };
        self.insist(|journal| journal.bury(letter.clone())).map(drop)
    }

    /// Takes the note back of one that was set aside, and is still to be delivered.
    pub(super) fn put_back(&mut self, failing: &Failing, failure: &Failure) {
        let letter = self.letter(failing, super::reason(failure));
        // The hub stops; what cannot be written now counts as one attempt more.
        self.insist(|journal| journal.bury(letter.clone())).ok();
    }
}
