//! Consumers: registered by name, each with its place in the journal.

use std::sync::Arc;

use crate::cursors::Place;
use crate::shared::Shared;
use crate::{Journal, JournalError, Offset, Reader, Start};

/// A consumer as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerCursor {
    /// Its name.
    pub consumer: String,
    /// The first message that it has not dealt with.
    pub next: Offset,
    /// How many messages it is behind, those lost to it included.
    pub lag: u64,
}

/// Where a consumer is. Cloning gives another handle to the same place, for any thread.
#[derive(Clone, Debug)]
pub struct Cursor {
    place: Arc<Place>,
    shared: Arc<Shared>,
}

impl Cursor {
    /// The first message that the consumer has not dealt with.
    #[must_use]
    pub fn position(&self) -> Offset {
        Offset(self.place.get())
    }

    /// All messages before `next` are dealt with, or their exception is recorded. It never goes back. Cheap: it is on
    /// disk with the next group commit.
    pub fn commit(&self, next: Offset) {
        if self.place.advance(next.0.min(self.shared.ring.next())) {
            self.shared.ring.room_may_be();
            self.shared.something();
        }
    }

    /// A reader that begins where the consumer is.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.shared, self.place.get())
    }
}

impl Journal {
    /// Registers a consumer, or finds it again: then `start` doesn't matter. It is on disk when this returns.
    ///
    /// If cursors were lost by damage, a consumer that seems new and asks for [`Start::New`] begins with the earliest
    /// message: a repetition is better than a loss.
    ///
    /// # Errors
    /// Disk errors.
    pub fn register(&self, consumer: &str, start: Start) -> Result<Cursor, JournalError> {
        let cursors = &self.shared.cursors;
        let place = match cursors.get(consumer) {
            Some(place) => place,
            None => {
                let next = match start {
                    Start::New if !cursors.doubtful => self.shared.ring.next(),
                    Start::New | Start::Earliest => self.shared.earliest(),
                    Start::At(time) => self.find(time)?.0,
                    Start::Offset(offset) => offset.0.clamp(self.shared.earliest(), self.shared.ring.next()),
                };
                cursors.insert(consumer, next)?
            }
        };
        Ok(Cursor { place, shared: Arc::clone(&self.shared) })
    }

    /// Removes a consumer for good: it holds nothing back any more, and what its cursors commit is ignored. Its dead
    /// letters stay.
    ///
    /// # Errors
    /// [`JournalError::UnknownConsumer`]; disk errors.
    pub fn forget(&self, consumer: &str) -> Result<(), JournalError> {
        let known = self.shared.cursors.forget(consumer)?;
        self.shared.ring.room_may_be();
        if known { Ok(()) } else { Err(JournalError::UnknownConsumer { name: consumer.to_owned() }) }
    }

    /// Every consumer, by name.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerCursor> {
        let end = self.shared.ring.next();
        let cursor = |(consumer, next): (String, u64)| ConsumerCursor {
            consumer,
            next: Offset(next),
            lag: end.saturating_sub(next),
        };
        self.shared.cursors.all().into_iter().map(cursor).collect()
    }
}
