//! Which messages came lately: one that comes over two endpoints is to be delivered once.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use crate::{Entry, Journal, JournalError, Next, Offset};

/// A message, as [`Seen`] remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u64);

/// The messages that came within a window of time, but no more than so many, and of those at least the newer half.
///
/// Two are the same if they are so byte by byte: another message, whatever it says of itself, keeps none out. Of each only
/// 64 bits are kept, by a hash whose seeds are drawn anew in each process, so that nobody can make out two that look the same.
#[derive(Debug)]
pub struct Seen {
    most: usize,
    window: Duration,
    /// What comes in, until it is half of what may be kept, or the window is over. Then it becomes the elder half, and
    /// the elder half is forgotten: as a whole, which is cheaper than one by one.
    young: Half,
    elder: Half,
    seeds: (u64, SharedSeed),
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

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

impl Seen {
    /// Remembers up to `most` messages, each for `window`.
    #[must_use]
    pub fn new(most: usize, window: Duration) -> Self {
        // Those that foldhash draws by itself are no secret.
        let [one, other] = [0, 1].map(|n| RandomState::new().hash_one(n));
        let seeds = (one, SharedSeed::from_u64(other));
        Self { most, window, young: Half::default(), elder: Half::default(), seeds }
    }

    /// What is remembered of a message.
    #[must_use]
    pub fn id(&self, topic: &str, body: &[u8]) -> Id {
        let mut hasher = FoldHasher::with_seed(self.seeds.0, &self.seeds.1);
        (topic, body).hash(&mut hasher);
        Id(hasher.finish())
    }

    /// Where the message is that came first; `None` if this one is new, and then it is remembered as that of `offset`.
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

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.ids.len() + self.elder.ids.len()
    }

    /// None is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers the newest messages in the journal, as if they had just come; to be called after opening. `counts` says
    /// whether repetitions of a message are to be known.
    ///
    /// # Errors
    /// Disk errors.
    pub fn refill(
        &mut self,
        journal: &Journal,
        now: SystemTime,
        counts: impl Fn(&Entry<'_>) -> bool,
    ) -> Result<(), JournalError> {
        let oldest = journal.find(now.checked_sub(self.window).unwrap_or(SystemTime::UNIX_EPOCH))?;
        let from = oldest.0.max(journal.next().0.saturating_sub(self.most as u64));
        let mut reader = journal.reader(Offset(from));
        while let Some(next) = reader.poll(1024)? {
            match next {
                Next::Batch(batch) => {
                    for entry in batch.iter().filter(&counts) {
                        self.check(self.id(entry.topic(), entry.body()), entry.offset(), entry.received());
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

    fn look(seen: &mut Seen, body: &[u8], offset: Offset, received: SystemTime) -> Option<Offset> {
        seen.check(seen.id("t", body), offset, received)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_message_is_new_once() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        assert_eq!(look(&mut seen, b"a", Offset(1), at(0)), None);
        assert_eq!(look(&mut seen, b"a", Offset(2), at(1)), Some(Offset(1)));
        assert_eq!(look(&mut seen, b"b", Offset(2), at(1)), None);
    }

    #[test]
    fn a_body_with_another_topic_is_another_message() {
        let seen = Seen::new(10, Duration::from_secs(60));
        assert_ne!(seen.id("t", b"a"), seen.id("u", b"a"));
        assert_ne!(seen.id("t", b"ab"), seen.id("ta", b"b"));
    }

    #[test]
    fn a_message_is_new_again_after_the_window() {
        let mut seen = Seen::new(10, Duration::from_secs(60));
        look(&mut seen, b"a", Offset(1), at(0));
        assert_eq!(look(&mut seen, b"a", Offset(2), at(60)), Some(Offset(1)));
        assert_eq!(look(&mut seen, b"a", Offset(3), at(61)), None);
    }

    #[test]
    fn a_message_that_was_not_appended_is_new_again() {
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
    fn no_more_are_kept_than_asked_for_and_of_those_the_newer_half() {
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
