//! Many patterns, asked at once.
//!
//! The patterns share a tree of their tokens, as words share a dictionary's, so that the cost of a question
//! depends on the topic and hardly on the number of patterns.

use std::collections::HashSet;

use crate::Pattern;
use crate::pattern::Token;

/// Patterns, each with the key of who wants what it matches.
#[derive(Debug, Clone)]
pub struct PatternSet<K> {
    /// The first one is the root: where every pattern begins.
    nodes: Vec<Node<K>>,
}

/// A place that patterns reach after the same tokens.
#[derive(Debug, Clone)]
struct Node<K> {
    /// The literal text on the way here; empty behind another token.
    label: Box<str>,
    /// The nodes behind literal text, by its first character, in order.
    literals: Vec<(char, usize)>,
    /// The nodes behind other tokens.
    globs: Vec<(Token, usize)>,
    /// The keys of the patterns that end here.
    keys: Vec<K>,
}

impl<K> Node<K> {
    fn new(label: &str) -> Self {
        Self { label: label.into(), literals: Vec::new(), globs: Vec::new(), keys: Vec::new() }
    }
}

const ROOT: usize = 0;

impl<K> Default for PatternSet<K> {
    fn default() -> Self {
        Self { nodes: vec![Node::new("")] }
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
        let end = pattern.tokens().iter().fold(ROOT, |node, token| match token {
            Token::Literal(text) => self.behind_literal(node, text),
            token => self.behind_glob(node, token),
        });
        self.nodes[end].keys.push(key);
    }

    fn behind_glob(&mut self, node: usize, token: &Token) -> usize {
        if let Some((_, behind)) = self.nodes[node].globs.iter().find(|(known, _)| known == token) {
            return *behind;
        }
        let behind = self.add(Node::new(""));
        self.nodes[node].globs.push((token.clone(), behind));
        behind
    }

    fn behind_literal(&mut self, mut node: usize, mut text: &str) -> usize {
        while let Some(first) = text.chars().next() {
            let literals = &self.nodes[node].literals;
            match literals.binary_search_by_key(&first, |&(first, _)| first) {
                Ok(slot) => {
                    node = literals[slot].1;
                    let shared = shared_prefix(&self.nodes[node].label, text);
                    self.split(node, shared);
                    text = &text[shared..];
                }
                Err(slot) => {
                    let leaf = self.add(Node::new(text));
                    self.nodes[node].literals.insert(slot, (first, leaf));
                    return leaf;
                }
            }
        }
        node
    }

    /// Leaves only the first `at` bytes of a node's label to it; a new node takes the rest and all that
    /// follows.
    fn split(&mut self, node: usize, at: usize) {
        let (head, tail) = self.nodes[node].label.split_at(at);
        let Some(first) = tail.chars().next() else { return };
        let (head, tail) = (Node::new(head), tail.into());
        let old = std::mem::replace(&mut self.nodes[node], head);
        let tail = self.add(Node { label: tail, ..old });
        self.nodes[node].literals.push((first, tail));
    }

    fn add(&mut self, node: Node<K>) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The keys of all patterns that match: each once, in ascending order.
    #[must_use]
    pub fn matches(&self, topic: &str) -> Vec<K> {
        let mut search = Search {
            set: self,
            topic,
            found: Vec::new(),
            stars: Vec::new(),
            entered: HashSet::new(),
            pending: Vec::new(),
        };
        search.walk(ROOT, 0);
        while let Some((star, from)) = search.stars.pop() {
            for (skipped, _) in topic[from..].char_indices() {
                search.walk(star, from + skipped);
            }
        }
        let mut found = search.found;
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The fewest prefixes that cover every topic that can match, in ascending order: what to subscribe to.
    /// `[""]` when some pattern can begin with anything, nothing for an empty set.
    #[must_use]
    pub fn literal_prefixes(&self) -> Vec<String> {
        let mut prefixes = Vec::new();
        let mut pending = vec![(ROOT, String::new())];
        while let Some((node, prefix)) = pending.pop() {
            let node = &self.nodes[node];
            if node.keys.is_empty() && node.globs.is_empty() {
                let longer =
                    |&(_, child): &(char, usize)| (child, format!("{prefix}{}", self.nodes[child].label));
                pending.extend(node.literals.iter().rev().map(longer));
            } else {
                prefixes.push(prefix);
            }
        }
        prefixes
    }
}

/// How many bytes two texts have in common at their beginning, in whole characters.
fn shared_prefix(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}

/// One question: which patterns match a topic.
struct Search<'s, K> {
    set: &'s PatternSet<K>,
    topic: &'s str,
    found: Vec<K>,
    /// The nodes behind a star that are still to be tried at each place of the topic from the given one on.
    stars: Vec<(usize, usize)>,
    /// All that ever were in `stars`. Behind the star before them the places are tried in ascending order, so
    /// the first entry of a star is the earliest and covers every later one. That keeps the work to one visit
    /// of a node at a place.
    entered: HashSet<usize>,
    /// The nodes that the current walk has reached, each with what is left of the topic. Empty between walks.
    pending: Vec<(usize, &'s str)>,
}

impl<K: Copy> Search<'_, K> {
    /// Follows the topic from byte `at` of it, and the tree from `start` to the next stars.
    fn walk(&mut self, start: usize, at: usize) {
        let (set, topic) = (self.set, self.topic);
        self.pending.push((start, &topic[at..]));
        while let Some((node, rest)) = self.pending.pop() {
            let node = &set.nodes[node];
            if rest.is_empty() {
                self.found.extend(&node.keys);
            }
            if let Some(first) = rest.chars().next()
                && let Ok(slot) = node.literals.binary_search_by_key(&first, |&(first, _)| first)
                && let child = node.literals[slot].1
                && let Some(rest) = rest.strip_prefix(&*set.nodes[child].label)
            {
                self.pending.push((child, rest));
            }
            for (token, child) in &node.globs {
                match token {
                    Token::Star if self.entered.insert(*child) => {
                        self.found.extend(&set.nodes[*child].keys);
                        self.stars.push((*child, topic.len() - rest.len()));
                    }
                    Token::Star => {}
                    token => self.pending.extend(token.strip(rest).map(|rest| (*child, rest))),
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(globs: &[&str]) -> PatternSet<usize> {
        globs.iter().enumerate().map(|(key, glob)| (Pattern::new(glob), key)).collect()
    }

    #[test]
    fn every_key_comes_once_in_order_however_many_of_its_patterns_match() {
        let mut set = PatternSet::new();
        for (glob, key) in [("*", 7), ("a.*", 7), ("a.b", 3), ("a.b", 7), ("a.c", 1)] {
            set.insert(&Pattern::new(glob), key);
        }
        assert_eq!(set.matches("a.b"), [3, 7]);
    }

    #[test]
    fn an_empty_set_matches_nothing_and_subscribes_to_nothing() {
        assert_eq!(set(&[]).matches("a"), [0; 0]);
        assert_eq!(set(&[]).literal_prefixes(), [""; 0]);
    }

    #[test]
    fn patterns_that_share_a_beginning_are_told_apart() {
        let set = set(&["org.git", "org.github", "org.gi*", "org.g?t", "org", "orč", "org.g[h-j]t", "*b"]);
        assert_eq!(set.matches("org.git"), [0, 2, 3, 6]);
        assert_eq!(set.matches("org.github"), [1, 2, 7]);
        assert_eq!(set.matches("org"), [4]);
        assert_eq!(set.matches("orč"), [5]);
        assert_eq!(set.matches("or"), [0; 0]);
    }

    #[test]
    fn prefixes_that_others_cover_are_left_out() {
        assert_eq!(
            set(&["org.a.*", "org.a.b", "org.b", "com.?"]).literal_prefixes(),
            ["com.", "org.a.", "org.b"]
        );
        assert_eq!(set(&["č*", "ć*"]).literal_prefixes(), ["ć", "č"]);
        assert_eq!(set(&["org.a", "*x"]).literal_prefixes(), [""]);
        assert_eq!(set(&["org.a", ""]).literal_prefixes(), [""]);
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let globs: Vec<String> = (1..40).map(|n| format!("{}b", "*a?".repeat(n))).collect();
        let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
        assert_eq!(set(&globs).matches(&"a".repeat(2000)), [0; 0]);
        assert_eq!(set(&globs).matches(&("a".repeat(2000) + "b")).len(), globs.len());
    }

    proptest! {
        #[test]
        fn a_set_agrees_with_its_patterns(
            globs in prop::collection::vec("[ab.č*?]{0,8}|[ab]{0,3}(\\[[!]?[ab.č-]{1,3}\\]|\\*)[ab]{0,3}", 0..40),
            topic in "[ab.č]{0,12}",
        ) {
            let set: PatternSet<usize> = globs.iter().map(|glob| Pattern::new(glob)).zip(0..).collect();
            let each: Vec<usize> =
                (0..globs.len()).filter(|&key| Pattern::new(&globs[key]).matches(&topic)).collect();
            prop_assert_eq!(set.matches(&topic), each);
        }

        #[test]
        fn what_matches_begins_with_exactly_one_of_the_prefixes(
            globs in prop::collection::vec("[abč]{0,4}[*?]?[ab]{0,2}", 0..10),
            topic in "[abč]{0,6}",
        ) {
            let set: PatternSet<usize> = globs.iter().map(|glob| Pattern::new(glob)).zip(0..).collect();
            let covering = set.literal_prefixes().iter().filter(|prefix| topic.starts_with(*prefix)).count();
            prop_assert!(covering <= 1);
            prop_assert!(covering == 1 || set.matches(&topic).is_empty());
        }
    }
}
