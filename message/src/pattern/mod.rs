//! Patterns that select topics.
//!
//! One rule everywhere: the glob of Python's `fnmatch.fnmatchcase`, over the whole topic. Many patterns at
//! once are the business of [`crate::PatternSet`].

mod class;
mod parse;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use class::Class;

/// A glob over whole topics, as Python's `fnmatch.fnmatchcase` reads it.
///
/// | text | matches |
/// |---|---|
/// | (empty) | every topic |
/// | `*` | any run of characters, dots and newlines too |
/// | `?` | one character |
/// | `[seq]`, `[!seq]` | one character that is, is not, in `seq`; `a-z` is a range, `]` may come first |
/// | `[` without its `]`, `\`, anything else | itself |
///
/// Every text is a pattern. A range that runs backwards, such as `[z-a]`, matches nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: Box<str>,
    tokens: Box<[Token]>,
}

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Token {
    /// This text, never empty; two of them never stand side by side.
    Literal(Box<str>),
    /// One character, whichever.
    Any,
    /// One character of a class.
    One(Class),
    /// Any run of characters; two of them never stand side by side.
    Star,
}

impl Pattern {
    /// The pattern that this glob describes.
    #[must_use]
    pub fn new(glob: &str) -> Self {
        Self { text: glob.into(), tokens: parse::tokens(glob) }
    }

    /// How many bytes of a topic are given by what is no wildcard: the more, the more specific the pattern.
    #[must_use]
    pub fn literal_len(&self) -> usize {
        let literal = |token: &Token| if let Token::Literal(text) = token { text.len() } else { 0 };
        self.tokens.iter().map(literal).sum()
    }

    /// Whether it has no wildcard, and so matches no topic but its own text.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        // `[a]` matches one topic only, too, but that is `a`.
        matches!(&*self.tokens, [Token::Literal(text)] if *text == self.text)
    }

    /// Whether no topic at all can match, because no character is in one of its classes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::One(class) if class.is_nothing()))
    }

    /// Whether no topic can match both, as far as their beginnings tell.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        match (self.is_literal(), other.is_literal()) {
            (true, _) => !other.matches(&self.text),
            (_, true) => !self.matches(&other.text),
            (false, false) => {
                let (one, other) = (self.literal_prefix(), other.literal_prefix());
                !one.starts_with(other) && !other.starts_with(one)
            }
        }
    }

    /// The pattern for all topics that begin with `text`, of which every `*` is dropped.
    fn prefix(text: &str) -> Self {
        let literal = text.replace('*', "");
        let literal = (!literal.is_empty()).then(|| Token::Literal(literal.into()));
        Self { text: text.into(), tokens: literal.into_iter().chain([Token::Star]).collect() }
    }

    /// Whether the whole topic matches.
    ///
    /// Takes at most the product of both lengths, whatever the pattern.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let mut rest = topic;
        let mut tokens = &*self.tokens;
        // Where to go on when a step fails: behind the last star, which then takes one character more. An
        // earlier star never has to: what it could take, the last one can.
        let mut retry: Option<(&[Token], &str)> = None;
        loop {
            let step = match tokens.split_first() {
                Some((Token::Star, [])) => return true,
                Some((Token::Star, behind)) => {
                    retry = Some((behind, rest));
                    Some((behind, rest))
                }
                Some((token, behind)) => token.strip(rest).map(|rest| (behind, rest)),
                None if rest.is_empty() => return true,
                None => None,
            };
            (tokens, rest) = match step {
                Some(step) => step,
                None => {
                    let Some((behind, from)) = retry else { return false };
                    let Some(from) = Token::Any.strip(from) else { return false };
                    retry = Some((behind, from));
                    (behind, from)
                }
            };
        }
    }

    /// The text that every matching topic begins with: what to subscribe to, so that others don't cross the
    /// network.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) => text,
            _ => "",
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Token {
    /// What is left of `text` when this token, which is no star, has taken its part.
    pub(crate) fn strip<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Token::Literal(literal) => text.strip_prefix(&**literal),
            Token::One(class) => text.strip_prefix(|c| class.contains(c)),
            Token::Any | Token::Star => text.strip_prefix(|_| true),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl From<&str> for Pattern {
    fn from(glob: &str) -> Self {
        Self::new(glob)
    }
}

impl From<String> for Pattern {
    fn from(glob: String) -> Self {
        Self::new(&glob)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text.into()
    }
}

impl FromStr for Pattern {
    type Err = std::convert::Infallible;

    fn from_str(glob: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(glob))
    }
}

/// How the topics in a consumer's configuration are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TopicMatching {
    /// As globs over the whole topic: see [`Pattern`].
    #[default]
    Glob,
    /// As moksha.hub reads them on ZeroMQ, for those who migrate: every `*` is dropped and what is left is
    /// the beginning of the topic.
    Prefix,
}

impl TopicMatching {
    /// The pattern that `text` means under this rule.
    #[must_use]
    pub fn pattern(self, text: &str) -> Pattern {
        match self {
            TopicMatching::Glob => Pattern::new(text),
            TopicMatching::Prefix => Pattern::prefix(text),
        }
    }
}

#[cfg(test)]
mod tests;
