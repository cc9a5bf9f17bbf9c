//! The consumers' tables: which consumer a `config_key` switches on, what its plugin is given, and what is
//! left that nobody claims.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::{Configuration, Problem, Problems};

/// The full dotted key of the boolean that switches a consumer on, such as `datanommer.enabled`; the table
/// that holds it is the consumer's configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigKey {
    table: Vec<String>,
    switch: String,
}

/// A `config_key` that names no key inside a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("config_key `{0}` is not a dotted key such as `myconsumer.enabled`")]
pub struct ConfigKeyError(String);

impl FromStr for ConfigKey {
    type Err = ConfigKeyError;

    fn from_str(key: &str) -> Result<Self, ConfigKeyError> {
        match key.rsplit_once('.') {
            Some((table, switch)) if key.split('.').all(|word| !word.is_empty()) => {
                Ok(Self { table: table.split('.').map(str::to_owned).collect(), switch: switch.to_owned() })
            }
            _ => Err(ConfigKeyError(key.to_owned())),
        }
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table.join("."), self.switch)
    }
}

impl ConfigKey {
    fn table_path(&self) -> Vec<&str> {
        self.table.iter().map(String::as_str).collect()
    }

    /// The dotted name of the table that holds the key.
    #[must_use]
    pub fn table(&self) -> String {
        self.table.join(".")
    }
}

/// What the configuration says of one consumer.
#[derive(Debug, Clone, PartialEq)]
pub enum Switch {
    /// The key is absent or false: the consumer isn't run. The rest of its table, if it has one.
    Off(Option<Map<String, Value>>),
    /// The key is true; this is the rest of its table.
    On(Map<String, Value>),
}

impl Configuration {
    /// Whether `key` switches its consumer on, and with which table. Tables further in that belong to one of
    /// `others` are left out.
    ///
    /// # Errors
    /// The key is there and is no boolean.
    pub fn switch<'a>(
        &self,
        key: &ConfigKey,
        others: impl IntoIterator<Item = &'a ConfigKey>,
    ) -> Result<Switch, Problem> {
        let Some(table) = self.table(&key.table) else { return Ok(Switch::Off(None)) };
        let mut table = table.clone();
        let on = match table.remove(&key.switch) {
            None => false,
            Some(Value::Bool(on)) => on,
            Some(other) => {
                let message = format!("expected true or false, found `{other}`");
                return Err(self.consumer_problem(key, &key.switch, message));
            }
        };
        for other in others {
            match other.table.strip_prefix(key.table.as_slice()) {
                Some([]) => drop(table.remove(&other.switch)),
                Some([outer @ .., last]) => {
                    let inner = outer.iter().try_fold(&mut table, |table, name| match table.get_mut(name) {
                        Some(Value::Object(inner)) => Some(inner),
                        _ => None,
                    });
                    inner.and_then(|inner| inner.remove(last));
                }
                None => {}
            }
        }
        Ok(if on { Switch::On(table) } else { Switch::Off(Some(table)) })
    }

    /// Says of a key inside the table of `key` that `message`, with the place where it was written.
    pub fn consumer_problem(&self, key: &ConfigKey, inside: &str, message: impl Into<String>) -> Problem {
        let mut path = key.table_path();
        path.extend(inside.split('.').filter(|word| !word.is_empty()));
        self.problem(&path, message)
    }

    /// Checks that every table outside the hub's own belongs to one of the consumers.
    ///
    /// A table that only says `enabled = false` is let pass: its plugin may rightly not be installed.
    ///
    /// # Errors
    /// Each table or key that nobody claims, with the nearest known name.
    pub fn unclaimed(&self, claimed: &[ConfigKey]) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for root in &self.consumer_roots {
            self.unclaimed_in(&mut vec![root.clone()], claimed, &mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    fn unclaimed_in(&self, path: &mut Vec<String>, claimed: &[ConfigKey], problems: &mut Vec<Problem>) {
        if claimed.iter().any(|key| key.table == *path) {
            return;
        }
        let leads_on = claimed.iter().any(|key| key.table.starts_with(path));
        match self.table(path) {
            Some(table) if leads_on => {
                for name in table.keys() {
                    path.push(name.clone());
                    self.unclaimed_in(path, claimed, problems);
                    path.pop();
                }
            }
            Some(table) if table.values().all(|value| *value == Value::Bool(false)) && !table.is_empty() => {}
            _ => {
                let known: Vec<String> = claimed.iter().map(ConfigKey::table).collect();
                let message = format!(
                    "no installed plugin has a consumer with this key: {}; `fedmsg-hub check` lists what is installed",
                    Problem::unknown("key", &path.join("."), known.iter().map(String::as_str)),
                );
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                problems.push(self.problem(&path, message));
            }
        }
    }

    fn table(&self, path: &[String]) -> Option<&Map<String, Value>> {
        path.iter().try_fold(&self.tree, |table, name| table.get(name)?.as_object())
    }
}
