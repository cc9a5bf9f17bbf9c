//! The `[…]` of a pattern: a class of characters.
//!
//! `fnmatch` rewrites the text between the brackets into a class of a regular expression; the rules below
//! give what that class means, its corner cases included.

/// A class of characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Class {
    negated: bool,
    /// First and last character of each range, both included.
    ranges: Box<[(char, char)]>,
}

/// A character between the brackets.
#[derive(Clone, Copy)]
enum Item {
    Char(char),
    /// A hyphen that joins its neighbours to a range.
    Hyphen,
}

impl Class {
    /// The class that `text`, which stood between the brackets, describes.
    pub(crate) fn new(text: &[char]) -> Self {
        let items = items(text);
        let (negated, mut items) = match items.as_slice() {
            [Item::Char('!'), rest @ ..] => (true, rest),
            all => (false, all),
        };
        let mut ranges = Vec::new();
        while let [first, rest @ ..] = items {
            let (last, rest) = match rest {
                [Item::Hyphen, last, rest @ ..] => (last, rest),
                rest => (first, rest),
            };
            ranges.push((first.char(), last.char()));
            items = rest;
        }
        Self { negated, ranges: ranges.into() }
    }

    pub(crate) fn contains(&self, c: char) -> bool {
        self.ranges.iter().any(|&(first, last)| (first..=last).contains(&c)) != self.negated
    }

    /// The one character that the class consists of.
    pub(crate) fn single(&self) -> Option<char> {
        match &*self.ranges {
            &[(first, last)] if first == last && !self.negated => Some(first),
            _ => None,
        }
    }

    /// Whether no character belongs to it.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.negated && self.ranges.is_empty()
    }

    /// Whether every character belongs to it.
    pub(crate) fn is_everything(&self) -> bool {
        self.negated && self.ranges.is_empty()
    }
}

impl Item {
    fn char(self) -> char {
        match self {
            Item::Char(c) => c,
            Item::Hyphen => '-',
        }
    }
}

/// Tells the hyphens that make a range from those that stand for themselves, and takes out the ranges that
/// run backwards.
fn items(text: &[char]) -> Vec<Item> {
    let mut chunks = chunks(text);
    for k in (1..chunks.len()).rev() {
        if chunks[k - 1].last() > chunks[k].first() {
            let behind = chunks.remove(k);
            chunks[k - 1].pop();
            chunks[k - 1].extend(behind.into_iter().skip(1));
        }
    }
    let mut items = Vec::with_capacity(text.len());
    for (k, chunk) in chunks.into_iter().enumerate() {
        if k > 0 {
            items.push(Item::Hyphen);
        }
        items.extend(chunk.into_iter().map(Item::Char));
    }
    items
}

/// Cuts the text at each hyphen that makes a range: one with a character on both sides, of which the left is
/// not the end of another range nor the negating `!`.
fn chunks(text: &[char]) -> Vec<Vec<char>> {
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let mut start = 0;
    let mut from = if text.first() == Some(&'!') { 2 } else { 1 };
    while let Some(hyphen) = (from..text.len()).find(|&k| text[k] == '-') {
        chunks.push(text[start..hyphen].to_vec());
        start = hyphen + 1;
        from = hyphen + 3;
    }
    match chunks.last_mut() {
        Some(last) if start == text.len() => last.push('-'),
        _ => chunks.push(text[start..].to_vec()),
    }
    chunks
}
