//! What one subscriber wants: topics that begin with one of its prefixes.

use std::collections::BTreeMap;
use std::ops::Bound;

/// So many prefixes may one subscriber have, and so many bytes in them. A hub with a thousand topics is far below.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 1024 * 1024;

/// One subscriber's prefixes, and how often each was asked for: a prefix goes when it is cancelled as often.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    prefixes: BTreeMap<Vec<u8>, u32>,
    bytes: usize,
}

impl Subscriptions {
    /// Adds one; false if there are too many.
    pub(crate) fn add(&mut self, prefix: &[u8]) -> bool {
        if let Some(times) = self.prefixes.get_mut(prefix) {
            *times = times.saturating_add(1);
            return true;
        }
        if self.prefixes.len() == MOST || self.bytes + prefix.len() > MOST_BYTES {
            return false;
        }
        self.bytes += prefix.len();
        self.prefixes.insert(prefix.to_owned(), 1);
        true
    }

    /// Takes one away, if it is there.
    pub(crate) fn remove(&mut self, prefix: &[u8]) {
        let Some(times) = self.prefixes.get_mut(prefix) else { return };
        *times -= 1;
        if *times == 0 {
            self.bytes -= prefix.len();
            self.prefixes.remove(prefix);
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether the topic begins with one of the prefixes.
    pub(crate) fn want(&self, topic: &[u8]) -> bool {
        // The greatest prefix that is not behind `rest` in order either is what `rest` begins with, or shares with it
        // some bytes, and then only these can still be begun with.
        let mut rest = topic;
        let upto = |rest| self.prefixes.range::<[u8], _>((Bound::Unbounded, Bound::Included(rest)));
        while let Some((prefix, _)) = upto(rest).next_back() {
            if rest.starts_with(prefix) {
                return true;
            }
            let shared = prefix.iter().zip(rest).take_while(|(a, b)| a == b).count();
            rest = &rest[..shared];
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(prefixes: &[&str]) -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        assert!(prefixes.iter().all(|prefix| subscriptions.add(prefix.as_bytes())));
        subscriptions
    }

    #[test]
    fn a_topic_is_wanted_if_it_begins_with_a_prefix() {
        let subscriptions = of(&["org.a", "org.ab.c", "org.ac", "x"]);
        for (topic, wanted) in [
            ("org.a", true),
            ("org.ab", true),
            ("org.abz", true),
            ("org.b", false),
            ("x.y", true),
            ("", false),
        ] {
            assert_eq!(subscriptions.want(topic.as_bytes()), wanted, "{topic}");
        }
        assert!(of(&[""]).want(b"anything") && of(&[""]).want(b""));
        assert!(!of(&[]).want(b"anything"));
    }

    #[test]
    fn the_search_agrees_with_looking_at_each_prefix() {
        let words: Vec<Vec<u8>> = (0..3_u32.pow(5))
            .map(|n| (0..n % 6).map(|place| b'a' + u8::try_from(n / 3_u32.pow(place) % 3).unwrap()).collect())
            .collect();
        for step in 3..40 {
            let chosen: Vec<_> = words.iter().skip(step).step_by(step).collect();
            let mut subscriptions = Subscriptions::default();
            assert!(chosen.iter().all(|prefix| subscriptions.add(prefix)));
            for word in &words {
                let expected = chosen.iter().any(|prefix| word.starts_with(prefix));
                assert_eq!(subscriptions.want(word), expected, "{word:?} of {chosen:?}");
            }
        }
    }

    #[test]
    fn a_prefix_goes_when_it_is_cancelled_as_often_as_it_was_asked_for() {
        let mut subscriptions = of(&["a", "a"]);
        subscriptions.remove(b"a");
        assert!(subscriptions.want(b"a"));
        subscriptions.remove(b"a");
        subscriptions.remove(b"a");
        assert!(!subscriptions.want(b"a"));
    }

    #[test]
    fn nobody_has_prefixes_without_end() {
        let mut subscriptions = Subscriptions::default();
        assert!((0..MOST).all(|n| subscriptions.add(n.to_string().as_bytes())));
        assert!(!subscriptions.add(b"one more"));
        subscriptions.remove(b"0");
        assert!(subscriptions.add(b"one more"));
        assert!(!Subscriptions::default().add(&vec![0; MOST_BYTES + 1]));
    }
}
