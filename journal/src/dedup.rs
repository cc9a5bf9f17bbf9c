//! Which message ids came lately: one message that comes over two endpoints is to be delivered once.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use crate::{Entry, Journal, JournalError, Next, Offset};

/// An id, as [`Seen`] remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u128);

impl Id {
    /// The same id, but of another class of messages: a repetition is only one within its class.
    #[must_use]
    pub fn in_class(self, class: u8) -> Self {
        Self(self.0 ^ u128::from(class))
    }
}

/// The ids that came within a window of time, but no more than so many.
///
/// Of each id only 128 bits are kept, by a hash that is drawn anew in each process: an id that is as long as a message
/// costs no more, and nobody can make two ids look the same.
#[derive(Debug)]
pub struct Seen {
    most: usize,
    window: Duration,
    first: HashMap<u128, Offset>,
    order: VecDeque<(u128, SystemTime)>,
    hash: (RandomState, RandomState),
}

impl Seen {
    /// Remembers up to `most` ids, each for `window`.
    #[must_use]
    pub fn new(most: usize, window: Duration) -> Self {
        let hash = (RandomState::new(), RandomState::new());
        Self { most, window, first: HashMap::new(), order: VecDeque::new(), hash }
    }

    /// What is remembered of an id.
    #[must_use]
    pub fn id(&self, text: &[u8]) -> Id {
        Id(u128::from(self.hash.0.hash_one(text)) << 64 | u128::from(self.hash.1.hash_one(text)))
    }

    /// The message that had this id first; `None` if it is new, and then it is remembered as that of `offset`.
    pub fn check(&mut self, Id(key): Id, offset: Offset, received: SystemTime) -> Option<Offset> {
        self.expire(received);
        if let Some(first) = self.first.get(&key) {
            return Some(*first);
        }
        if self.most > 0 {
            if self.order.len() >= self.most {
                self.drop_oldest();
            }
            self.first.insert(key, offset);
            self.order.push_back((key, received));
        }
        None
    }

    /// Forgets those whose messages have this offset or a later one: they were not appended after all.
    pub fn forget_from(&mut self, offset: Offset) {
        while let Some((key, _)) = self.order.back()
            && self.first.get(key).is_some_and(|first| *first >= offset)
        {
            self.first.remove(key);
            self.order.pop_back();
        }
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// None is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Remembers the ids of the newest messages in the journal, as if they had just come; to be called after opening.
    /// `id` says what a message's id is, and of which class.
    ///
    /// # Errors
    /// Disk errors.
    pub fn refill(
        &mut self,
        journal: &Journal,
        now: SystemTime,
        id: impl Fn(&Entry<'_>) -> Option<(String, u8)>,
    ) -> Result<(), JournalError> {
        let oldest = journal.find(now.checked_sub(self.window).unwrap_or(SystemTime::UNIX_EPOCH))?;
        let from = oldest.0.max(journal.next().0.saturating_sub(self.most as u64));
        let mut reader = journal.reader(Offset(from));
        while let Some(next) = reader.poll(1024)? {
            match next {
                Next::Batch(batch) => {
                    for entry in batch.iter() {
                        if let Some((id, class)) = id(&entry) {
                            let id = self.id(id.as_bytes()).in_class(class);
                            self.check(id, entry.offset(), entry.received());
                        }
                    }
                }
                Next::Gap(_) => {}
                Next::TimedOut | Next::Woken | Next::Closed => break,
            }
        }
        Ok(())
    }

    fn expire(&mut self, now: SystemTime) {
        let window = self.window;
        let old = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > window);
        while self.order.front().is_some_and(|(_, at)| old(*at)) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.first.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(seen: &mut Seen, id: &[u8], offset: Offset, received: SystemTime) -> Option<Offset> {
        let id = seen.id(id);
        seen.check(id, offset, received)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        assert_eq!(look(&mut seen, b"a", Offset(1), at(0)), None);
        assert_eq!(look(&mut seen, b"a", Offset(2), at(1)), Some(Offset(1)));
        assert_eq!(look(&mut seen, b"b", Offset(2), at(1)), None);
    }

    #[test]
    fn an_id_of_another_class_is_another() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        let id = seen.id(b"a");
        assert_eq!(seen.check(id, Offset(1), at(0)), None);
        assert_eq!(seen.check(id.in_class(1), Offset(2), at(0)), None);
        assert_eq!(seen.check(id.in_class(1), Offset(3), at(0)), Some(Offset(2)));
    }

    #[test]
    fn an_id_is_new_again_after_the_window() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        look(&mut seen, b"a", Offset(1), at(0));
        assert_eq!(look(&mut seen, b"a", Offset(2), at(60)), Some(Offset(1)));
        assert_eq!(look(&mut seen, b"a", Offset(3), at(61)), None);
    }

    #[test]
    fn an_id_whose_message_was_not_appended_is_new_again() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        for (offset, id) in [b"a", b"b", b"c"].iter().enumerate() {
            look(&mut seen, *id, Offset(offset as u64), at(0));
        }
        seen.forget_from(Offset(1));
        assert_eq!(look(&mut seen, b"a", Offset(1), at(0)), Some(Offset(0)));
        assert_eq!(look(&mut seen, b"c", Offset(1), at(0)), None);
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn no_more_ids_are_kept_than_asked_for() {
        let mut seen = Seen::new(2, Duration::from_secs(60));
        for (offset, id) in [b"a", b"b", b"c"].iter().enumerate() {
            look(&mut seen, *id, Offset(offset as u64), at(0));
        }
        assert_eq!(seen.len(), 2);
        assert_eq!(look(&mut seen, b"c", Offset(9), at(0)), Some(Offset(2)));
        assert_eq!(look(&mut seen, b"a", Offset(9), at(0)), None);
    }
}
