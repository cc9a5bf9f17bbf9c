//! What can be wrong with a configuration: one type for all of it, because a person mends each of them
//! the same way, by going to a place and changing a key.

use std::fmt;

use crate::Origin;

/// One thing that is wrong, the key, and the place where it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {key}{}{message}", if key.is_empty() { "" } else { ": " })]
pub struct Problem {
    /// Where the key was written.
    pub origin: Origin,
    /// The full dotted key; empty where no single key is meant.
    pub key: String,
    /// What is wrong, and the mend where there is one to name.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(origin: Origin, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin, key: key.into(), message: message.into() }
    }

    /// The words for a key, or another kind of name, that nobody knows, with the nearest of the `known` ones.
    #[must_use]
    pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        match nearest(name, known) {
            Some(near) => format!("unknown {what}; did you mean `{near}`?"),
            None => format!("unknown {what}"),
        }
    }
}

/// The candidate that looks most like `word`, if one is near enough to be meant.
fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Everything that was found wrong, in the order in which it was found; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
