//! Many patterns, asked at once.

use crate::Pattern;

/// Patterns, each with the key of who wants what it matches.
#[derive(Debug, Clone)]
pub struct PatternSet<K> {
    patterns: Vec<(Pattern, K)>,
}

impl<K> Default for PatternSet<K> {
    fn default() -> Self {
        Self { patterns: Vec::new() }
    }
}

impl<K: Copy + Ord> PatternSet<K> {
    /// A set without patterns, which matches nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pattern. The same key may have many.
    pub fn insert(&mut self, pattern: &Pattern, key: K) {
        self.patterns.push((pattern.clone(), key));
    }

    /// The keys of all patterns that match: each once, in ascending order.
    #[must_use]
    pub fn matches(&self, topic: &str) -> Vec<K> {
        let mut keys: Vec<K> =
            self.patterns.iter().filter(|(pattern, _)| pattern.matches(topic)).map(|&(_, key)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The fewest prefixes that cover every topic that can match, in ascending order: what to subscribe to.
    /// `[""]` when some pattern can begin with anything, nothing for an empty set.
    #[must_use]
    pub fn literal_prefixes(&self) -> Vec<String> {
        let mut all: Vec<&str> = self.patterns.iter().map(|(pattern, _)| pattern.literal_prefix()).collect();
        all.sort_unstable();
        let mut kept: Vec<String> = Vec::new();
        for prefix in all {
            if !kept.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
                kept.push(prefix.to_owned());
            }
        }
        kept
    }
}

impl<K: Copy + Ord> FromIterator<(Pattern, K)> for PatternSet<K> {
    fn from_iter<I: IntoIterator<Item = (Pattern, K)>>(patterns: I) -> Self {
        let mut set = Self::new();
        for (pattern, key) in patterns {
            set.insert(&pattern, key);
        }
        set
    }
}
