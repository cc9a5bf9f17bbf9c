//! From a topic frame to those who want it, with a memory of the topics seen lately.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use crate::topic::text_of;
use crate::{PatternSet, Topic, TopicError};

/// How many topics a router remembers. A bus has some hundreds.
const REMEMBERED_TOPICS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Longer topics, in bytes, are matched anew each time, so that what is remembered stays small whoever sends.
const LONGEST_REMEMBERED: usize = 512;

/// Answers who wants the messages of a topic.
///
/// Belongs to one thread, which is why it needs no lock.
#[derive(Debug)]
pub struct Router<K> {
    patterns: PatternSet<K>,
    lately: LruCache<Topic, Arc<[K]>>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<K> {
    /// Its topic; the text is shared with earlier routes of the same topic.
    pub topic: Topic,
    /// Who wants it: each once, in ascending order.
    pub keys: Arc<[K]>,
}

impl<K: Copy + Ord> Router<K> {
    /// A router by these patterns.
    #[must_use]
    pub fn new(patterns: PatternSet<K>) -> Self {
        Self { patterns, lately: LruCache::new(REMEMBERED_TOPICS) }
    }

    /// The topic in the first frame of a bus message, and who wants it.
    ///
    /// # Errors
    /// [`TopicError`] when the frame is empty, overlong or not UTF-8.
    pub fn route(&mut self, frame: &[u8]) -> Result<Route<K>, TopicError> {
        let text = text_of(frame)?;
        if let Some((topic, keys)) = self.lately.get_key_value(text) {
            return Ok(Route { topic: topic.clone(), keys: keys.clone() });
        }
        let topic = Topic::new(text)?;
        let keys: Arc<[K]> = self.patterns.matches(text).into();
        if text.len() <= LONGEST_REMEMBERED {
            self.lately.put(topic.clone(), keys.clone());
        }
        Ok(Route { topic, keys })
    }

    /// The patterns it goes by.
    #[must_use]
    pub fn patterns(&self) -> &PatternSet<K> {
        &self.patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;

    fn router(globs: &[&str]) -> Router<usize> {
        Router::new(globs.iter().map(|glob| Pattern::new(glob)).zip(0..).collect())
    }

    #[test]
    fn a_frame_goes_to_all_whose_patterns_match() {
        let route = router(&["org.*", "com.*", "*"]).route(b"org.a").unwrap();
        assert_eq!((&*route.topic, &*route.keys), ("org.a", &[0, 2][..]));
    }

    #[test]
    fn a_topic_that_comes_again_is_answered_from_memory() {
        let mut router = router(&["org.*"]);
        let first = router.route(b"org.a").unwrap();
        let second = router.route(b"org.a").unwrap();
        assert_eq!(first, second);
        assert!(Arc::ptr_eq(&first.keys, &second.keys));
        assert_eq!(first.topic.as_ptr(), second.topic.as_ptr());
    }

    #[test]
    fn a_flood_of_topics_is_not_remembered_without_bound() {
        let mut router = router(&["*7"]);
        for n in 0..3 * REMEMBERED_TOPICS.get() {
            let route = router.route(n.to_string().as_bytes()).unwrap();
            assert_eq!(route.keys.len(), usize::from(n % 10 == 7));
        }
        assert_eq!(router.lately.len(), REMEMBERED_TOPICS.get());
    }

    #[test]
    fn an_overlong_topic_is_routed_but_not_remembered() {
        let mut router = router(&["a*"]);
        assert_eq!(&*router.route(&[b'a'; LONGEST_REMEMBERED + 1]).unwrap().keys, &[0]);
        assert!(router.lately.is_empty());
    }

    #[test]
    fn a_frame_without_a_topic_is_refused() {
        assert_eq!(router(&["*"]).route(b""), Err(TopicError::Empty));
        assert_eq!(router(&["*"]).route(b"a\xff"), Err(TopicError::NotUtf8 { at: 1 }));
    }
}
