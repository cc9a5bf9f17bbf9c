//! What differs between what runs and what is to run. Pure: it decides what a reload touches, and does nothing.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Endpoint, EndpointName};
use control::{Change, Changed, Thing};
use serde_json::Value;
use settings::Settings;

use crate::consumer::ConsumerName;
use crate::plan::{Plan, PlannedConsumer};

/// The keys that may change in a running hub, with all that is in them. All others are read once, at the start: a new key
/// is one of those until somebody has seen to it.
const LIVE: &[&str] = &[
    "topic_prefix",
    "environment",
    "topic_matching",
    "endpoints",
    "srv_endpoints",
    "publish",
    "crypto",
    "log.level",
    "hub.plugin_dirs",
    "hub.start_deadline",
    "hub.drain_deadline",
    "hub.max_body_bytes",
    "hub.watch",
    "hub.stuck_after",
    "hub.silent_after",
    "hub.required_endpoints",
    "journal.max_age",
    "journal.max_bytes",
    "journal.hard_max_bytes",
];

/// A key that differs, as the names on the way to it.
pub type KeyPath = Vec<String>;

/// What a reload has to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Consumers. Changed is one whose plugin, table, topics or trust is another, or an endpoint that it forwards to.
    pub consumers: Sorted<ConsumerName>,
    /// Endpoints that are subscribed to, or bound for consumers.
    pub endpoints: Sorted<EndpointName>,
    /// Hub-owned keys beside these endpoints.
    pub keys: Vec<KeyPath>,
}

/// Names, by what happens to them.
#[derive(Debug, PartialEq, Eq)]
pub struct Sorted<T> {
    /// Not there before.
    pub added: Vec<T>,
    /// There before and after, and another.
    pub changed: Vec<T>,
    /// Not there any more.
    pub removed: Vec<T>,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { added: Vec::new(), changed: Vec::new(), removed: Vec::new() }
    }
}

impl<T: Ord + Clone> Sorted<T> {
    fn new<V>(old: &BTreeMap<T, V>, new: &BTreeMap<T, V>, same: impl Fn(&T, &V, &V) -> bool) -> Self {
        let mut sorted = Self::default();
        for (name, is) in new {
            match old.get(name) {
                None => sorted.added.push(name.clone()),
                Some(was) if !same(name, was, is) => sorted.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        sorted.removed = old.keys().filter(|name| !new.contains_key(name)).cloned().collect();
        sorted
    }
}

impl Diff {
    /// From what runs to what is to run. `running` says whether a consumer of the old plan still does: one that has ended
    /// is added again. `forwarded` has the endpoints that consumers forward to, which are theirs.
    ///
    /// # Errors
    /// The keys that differ and cannot change in a running hub.
    pub fn new(
        old: (&Plan, &Settings),
        new: (&Plan, &Settings),
        running: impl Fn(&ConsumerName) -> bool,
        forwarded: &BTreeMap<EndpointName, BTreeSet<ConsumerName>>,
    ) -> Result<Self, Vec<KeyPath>> {
        let keys = keys(old.1, new.1);
        let (mut keys, fixed): (Vec<_>, Vec<_>) = keys.into_iter().partition(|path| is_live(path));
        if !fixed.is_empty() {
            return Err(fixed);
        }
        let endpoints = Sorted::new(&endpoints(old.0), &endpoints(new.0), |_, was, is| was == is);
        let shown = |path: &KeyPath| match &path[..] {
            [table, name, ..] => {
                table == "endpoints"
                    && [&endpoints.added, &endpoints.changed, &endpoints.removed]
                        .iter()
                        .any(|all| all.iter().any(|it| it.as_str() == name))
            }
            _ => false,
        };
        keys.retain(|path| !shown(path));
        let moved: BTreeSet<_> = forwarded
            .iter()
            .filter(|(name, _)| {
                old.1.endpoints.endpoint(name.as_str()) != new.1.endpoints.endpoint(name.as_str())
            })
            .flat_map(|(_, users)| users)
            .collect();
        let mut were = consumers(old.0);
        were.retain(|name, _| running(name));
        let consumers =
            Sorted::new(&were, &consumers(new.0), |name, was, is| is_same(was, is) && !moved.contains(name));
        Ok(Self { consumers, endpoints, keys })
    }

    /// The consumers that end, start or both.
    #[must_use]
    pub fn touched(&self) -> Vec<ConsumerName> {
        let Sorted { added, changed, removed } = &self.consumers;
        [&**added, changed, removed].concat()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One by one, for people.
    #[must_use]
    pub fn changes(&self) -> Vec<Changed> {
        let keys =
            Sorted { changed: self.keys.iter().map(|path| path.join(".")).collect(), ..Sorted::default() };
        let consumers = each(Thing::Consumer, &self.consumers);
        let endpoints = each(Thing::Endpoint, &self.endpoints);
        consumers.chain(endpoints).chain(each(Thing::Key, &keys)).collect()
    }
}

fn each<T: ToString>(thing: Thing, sorted: &Sorted<T>) -> impl Iterator<Item = Changed> {
    let of = |change, names: &[T]| -> Vec<_> {
        names.iter().map(|name| Changed { change, thing, name: name.to_string() }).collect()
    };
    [
        of(Change::Added, &sorted.added),
        of(Change::Changed, &sorted.changed),
        of(Change::Removed, &sorted.removed),
    ]
    .into_iter()
    .flatten()
}

/// Whether a key may change in a running hub.
#[must_use]
pub fn is_live(path: &[String]) -> bool {
    LIVE.iter().any(|live| {
        live.split('.').zip(path).all(|(word, name)| word == name) && live.split('.').count() <= path.len()
    })
}

fn consumers(plan: &Plan) -> BTreeMap<ConsumerName, &PlannedConsumer> {
    plan.consumers.iter().map(|planned| (planned.installed.name.clone(), planned)).collect()
}

fn is_same(was: &PlannedConsumer, is: &PlannedConsumer) -> bool {
    let key = |it: &PlannedConsumer| (it.installed.image, it.config.clone(), it.trust);
    key(was) == key(is) && was.options == is.options && was.topics == is.topics && was.inbound == is.inbound
}

/// Each with whether it is bound.
fn endpoints(plan: &Plan) -> BTreeMap<EndpointName, (&Endpoint, bool)> {
    let bound = plan.inbound.iter().map(|endpoint| (endpoint, true));
    let all = bound.chain(plan.subscribed.iter().map(|endpoint| (endpoint, false)));
    all.map(|(endpoint, is_bound)| (endpoint.name.clone(), (endpoint, is_bound))).collect()
}

/// The keys that differ.
fn keys(old: &Settings, new: &Settings) -> Vec<KeyPath> {
    let tree = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let mut found = Vec::new();
    compare(&tree(old), &tree(new), &mut Vec::new(), &mut found);
    found
}

fn compare(old: &Value, new: &Value, path: &mut KeyPath, found: &mut Vec<KeyPath>) {
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
            for name in names {
                path.push(name.clone());
                compare(&old[name], &new[name], path, found);
                path.pop();
            }
        }
        _ if old != new => found.push(path.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
