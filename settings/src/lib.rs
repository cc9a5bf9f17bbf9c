//! The one configuration that the hub and the commands read: where it comes from, how its layers
//! merge, and what each hub-owned key means.
//!
//! Layers, later ones win, tables merge deeply and lists are replaced:
//! built-in defaults, `/etc/fedmsg/hub.toml`, `/etc/fedmsg/hub.d/*.toml`, `./hub.toml`,
//! `./hub.d/*.toml`, `--config`, environment `FEDMSG_HUB__…`, command line.
//!
//! A consumer's own table is not known here: it is kept as it was written, and its plugin says later what
//! it means (see [`Configuration::switch`]). What nobody claims is an error
//! ([`Configuration::unclaimed`]). Every [`Problem`] names file, line and key.
#![forbid(unsafe_code)]

mod claim;
mod crypto;
mod journal;
mod layer;
mod monitoring;
mod origin;
mod problem;
mod schema;
mod secret;
mod sources;
mod tree;

pub use claim::{ConfigKey, ConfigKeyError, Switch};
pub use crypto::{Backend, BackendError, CryptoSettings, SIGNING_RELAY, SigningError};
pub use journal::{JournalMode, JournalSettings, WhenFull};
pub use monitoring::{HttpSettings, Listen, MonitoringSettings};
pub use origin::Origin;
pub use problem::{Problem, Problems};
pub use schema::{HubSettings, LogFormat, LogSettings, PublishMode, PublishSettings, Settings};
pub use sources::Sources;

use std::path::Path;

use origin::Origins;
use serde_json::{Map, Value};
use sources::ReadFile;

/// A loaded configuration: the hub's own settings, checked, and the consumers' tables, not yet claimed.
#[derive(Debug)]
pub struct Configuration {
    settings: Settings,
    tree: Map<String, Value>,
    consumer_roots: Vec<String>,
    origins: Origins,
    files: Vec<ReadFile>,
}

impl Configuration {
    /// Reads and merges every layer, and checks all keys that the hub owns.
    ///
    /// # Errors
    /// All problems at once, each with its place: files that can't be read or parsed, values of the wrong
    /// type, and unknown keys inside the hub's tables.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let (layers, files) = sources.layers()?;
        let (tree, origins) = tree::merge(layers)?;
        let (settings, consumer_roots) = schema::check(&tree, &origins)?;
        Ok(Self { settings, tree, consumer_roots, origins, files })
    }

    /// The keys that the hub owns.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the layers say, merged: the hub's own keys as they are written, and the consumers' tables.
    #[must_use]
    pub fn written(&self) -> Map<String, Value> {
        self.tree.clone()
    }

    /// The same, with the defaults of what they leave out.
    #[must_use]
    pub fn effective(&self) -> Map<String, Value> {
        let mut tree = self.tree.clone();
        if let Ok(Value::Object(settings)) = serde_json::to_value(&self.settings) {
            tree.extend(settings);
        }
        tree
    }

    /// The files that were read, in the order in which they were merged.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| &*file.path)
    }

    /// Whether it can be meant to replace what was loaded from the same places before: a file that goes away would
    /// otherwise count as one that says nothing. Where nobody has asked for it (`is_hint`), whoever emptied a file may
    /// be about to write it.
    ///
    /// # Errors
    /// The files: a `hub.toml` that has gone, and with `is_hint` any that was emptied. Fragments may go.
    pub fn is_whole(&self, before: &Self, is_hint: bool) -> Result<(), Problems> {
        let lost: Vec<_> = before.files.iter().filter_map(|file| file.lost(&self.files, is_hint)).collect();
        if lost.is_empty() { Ok(()) } else { Err(Problems(lost)) }
    }

    /// Where the key or table at `path` was written; [`Origin::Default`] if nobody wrote it.
    #[must_use]
    pub fn origin(&self, path: &[&str]) -> Origin {
        self.origins.written(path).unwrap_or(Origin::Default)
    }

    /// Says of the key at `path` that `message`, with the place where the key was written.
    pub fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        Problem::new(self.origins.of(path), path.join("."), message)
    }
}
