//! What consumers count: names, and the numbers behind them. One home for the hub and for the testing kit, so that
//! an author sees in a test what an operator will see.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The counts of one consumer, by the names that it gives them. Any thread adds, any reads.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    /// As many names a consumer may have. Each is a time series in whatever watches the hub.
    pub const MOST_NAMES: usize = 32;

    /// What is counted under no name of its own.
    pub const OTHER: &str = "other";

    /// The longest name, in bytes.
    const LONGEST_NAME: usize = 64;

    /// Adds `n`; nothing, too, makes the name known. False if it was added to [`OTHER`](Self::OTHER), because the
    /// name is none, or one too many.
    #[must_use]
    pub fn add(&self, name: &str, n: u64) -> bool {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(name) {
            *count = count.saturating_add(n);
            return true;
        }
        // The place for what has no name is not one of them.
        let named = counts.keys().filter(|name| *name != Self::OTHER).count();
        let fits = name == Self::OTHER || (is_name(name) && named < Self::MOST_NAMES);
        let count = counts.entry(if fits { name } else { Self::OTHER }.to_owned()).or_default();
        *count = count.saturating_add(n);
        fits
    }

    /// All of them until now.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.lock().clone()
    }

    /// Nothing under the lock is left half-done by a panic.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A letter first; then letters, digits and `_`. All in lower case, as in names of metrics.
fn is_name(name: &str) -> bool {
    name.len() <= Counts::LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_grow_under_their_names_and_are_known_from_zero_on() {
        let counts = Counts::default();
        assert!(counts.add("cut_lines", 0) && counts.add("http_503", 2) && counts.add("http_503", 1));
        assert_eq!(counts.all(), BTreeMap::from([("cut_lines".to_owned(), 0), ("http_503".to_owned(), 3)]));
        assert!(counts.add("http_503", u64::MAX));
        assert_eq!(counts.all()["http_503"], u64::MAX);
    }

    #[test]
    fn what_has_no_proper_name_is_counted_all_the_same() {
        let counts = Counts::default();
        let long = "x".repeat(65);
        let improper = ["", "Upper", "9lives", "_x", "a-b", "a b", "a\n", "é", &long];
        for name in improper {
            assert!(!counts.add(name, 1), "{name:?}");
        }
        assert_eq!(counts.all(), BTreeMap::from([("other".to_owned(), improper.len() as u64)]));
        assert!(counts.add("other", 1) && counts.add(&long[..64], 1));
    }

    #[test]
    fn names_are_bounded_and_what_is_beyond_is_counted_all_the_same() {
        let counts = Counts::default();
        let added: Vec<_> = (0..1000).map(|n| counts.add(&format!("name_{n}"), 1)).collect();
        assert_eq!(added.iter().filter(|named| **named).count(), Counts::MOST_NAMES);
        assert!(counts.add("name_0", 1) && !counts.add("name_1000", 1));
        let all = counts.all();
        assert_eq!((all.len(), all["other"]), (Counts::MOST_NAMES + 1, 1001 - Counts::MOST_NAMES as u64));
    }
}
