//! Which message ids came lately: one message that comes over two endpoints is to be delivered once.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use crate::{Entry, Journal, JournalError, Next, Offset};

/// An id, as [`Seen`] remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u128);

impl Id {
    /// The same id, but of another class of messages: a repetition is only one within its class.
    #[must_use]
    pub fn in_class(self, class: u8) -> Self {
        Self(self.0 ^ u128::from(class))
    }
}

/// The ids that came within a window of time, but no more than so many, and of those at least the newer half.
///
/// Of each id only 128 bits are kept, by a hash that is drawn anew in each process: an id that is as long as a message
/// costs no more, and nobody can make two ids look the same.
#[derive(Debug)]
pub struct Seen {
    most: usize,
    window: Duration,
    /// What comes in, until it is half of what may be kept, or the window is over. Then it becomes the elder half, and
    /// the elder half is forgotten: as a whole, which is cheaper than one by one.
    young: Half,
    elder: Half,
    hash: (RandomState, RandomState),
}

/// Ids with their first message, and when it came.
#[derive(Debug, Default)]
struct Half {
    ids: HashMap<Id, (Offset, SystemTime), BuildHasherDefault<AsItIs>>,
    /// When the first of them came.
    first: Option<SystemTime>,
}

/// An [`Id`] is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, id: u128) {
        self.0 = (id >> 64) as u64 ^ id as u64;
    }
}

impl Seen {
    /// Remembers up to `most` ids, each for `window`.
    #[must_use]
    pub fn new(most: usize, window: Duration) -> Self {
        let hash = (RandomState::new(), RandomState::new());
        Self { most, window, young: Half::default(), elder: Half::default(), hash }
    }

    /// What is remembered of an id.
    #[must_use]
    pub fn id(&self, text: &[u8]) -> Id {
        Id(u128::from(self.hash.0.hash_one(text)) << 64 | u128::from(self.hash.1.hash_one(text)))
    }

    /// The message that had this id first; `None` if it is new, and then it is remembered as that of `offset`.
    pub fn check(&mut self, id: Id, offset: Offset, received: SystemTime) -> Option<Offset> {
        let old = |at: SystemTime| received.duration_since(at).is_ok_and(|age| age > self.window);
        let known = self.young.ids.get(&id).or_else(|| self.elder.ids.get(&id));
        if let Some((first, _)) = known.filter(|(_, at)| !old(*at)) {
            return Some(*first);
        }
        if self.young.ids.len() >= self.most.div_ceil(2) || self.young.first.is_some_and(old) {
            std::mem::swap(&mut self.young, &mut self.elder);
            self.young.clear();
        }
        if self.most > 0 {
            self.young.ids.insert(id, (offset, received));
            self.young.first.get_or_insert(received);
        }
        None
    }

    /// Forgets those whose messages have this offset or a later one: they were not appended after all.
    pub fn forget_from(&mut self, offset: Offset) {
        for half in [&mut self.young, &mut self.elder] {
            half.ids.retain(|_, (first, _)| *first < offset);
        }
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.ids.len() + self.elder.ids.len()
    }

    /// None is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
}

impl Half {
    fn clear(&mut self) {
        self.ids.clear();
        self.first = None;
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
    fn no_more_ids_are_kept_than_asked_for_and_of_those_the_newer_half() {
        let mut seen = Seen::new(4, Duration::from_secs(60));
        for n in 0..100_u64 {
            assert_eq!(look(&mut seen, &n.to_le_bytes(), Offset(n), at(0)), None);
            assert!(seen.len() <= 4);
        }
        for n in 98..100_u64 {
            assert_eq!(look(&mut seen, &n.to_le_bytes(), Offset(200), at(0)), Some(Offset(n)));
        }
        assert_eq!(look(&mut seen, &0_u64.to_le_bytes(), Offset(200), at(0)), None);
    }
}
