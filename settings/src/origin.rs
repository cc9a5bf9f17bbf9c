//! Where a key was written, for errors that a person can act on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The place where a key got the value that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, and the line (from 1) where one is meant.
    File(PathBuf, Option<usize>),
    /// The environment variable of this name.
    Environment(String),
    /// `--set` on the command line.
    CommandLine,
    /// Nobody wrote it: a built-in default, or a key that is missing.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("command line (--set)"),
            Self::Default => f.write_str("configuration"),
        }
    }
}

/// A key as the names on the way to it.
pub(crate) type KeyPath = Vec<String>;

/// The origin of each key and table, of the last layer that wrote it.
#[derive(Debug, Default)]
pub(crate) struct Origins(BTreeMap<KeyPath, Origin>);

impl Origins {
    pub(crate) fn insert(&mut self, path: KeyPath, origin: Origin) {
        self.0.insert(path, origin);
    }

    pub(crate) fn overlay(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The origin of `path`, if it was written.
    pub(crate) fn written(&self, path: &[&str]) -> Option<Origin> {
        self.0.get(&path.iter().map(|name| (*name).to_owned()).collect::<KeyPath>()).cloned()
    }

    /// The origin of `path`; of the nearest table around it where it was not written itself.
    pub(crate) fn of(&self, path: &[&str]) -> Origin {
        (1..=path.len()).rev().find_map(|n| self.written(&path[..n])).unwrap_or(Origin::Default)
    }
}
