//! From Python's keys and values to ours.

use std::path::PathBuf;

use bus::Address;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value as Toml};

use super::keys::{Fate, fate};
use super::parser::{Dict, Literal, Value};
use super::{Imported, words};

/// What is taken over so far, and what isn't.
pub(super) struct Converter<'f> {
    files: &'f [PathBuf],
    toml: DocumentMut,
    notes: Vec<(usize, usize, String)>,
}

impl<'f> Converter<'f> {
    pub(super) fn new(files: &'f [PathBuf]) -> Self {
        Self { files, toml: DocumentMut::new(), notes: Vec::new() }
    }

    /// Says of a place that something of it was not taken over.
    pub(super) fn note_place(&mut self, file: usize, line: usize, what: &str) {
        self.notes.push((file, line, what.to_owned()));
    }

    /// Says that this statement was not run.
    pub(super) fn skipped(&mut self, file: usize, line: usize, statement: &str) {
        self.note_place(file, line, &format!("`{statement}` is not evaluated; write by hand what it sets"));
    }

    fn note(&mut self, key: &str, literal: &Literal, what: &str) {
        self.note_place(literal.file, literal.line, &format!("{key}: {what}"));
    }

    /// Takes one key over, or says why not.
    pub(super) fn take(&mut self, key: &str, literal: &Literal) {
        let value = &literal.value;
        match (fate(key), value) {
            (Some(Fate::Needless), _) => {}
            (Some(Fate::Absent(why)), _) if !is_nothing(value) => self.note(key, literal, why),
            (Some(_), Value::None) | (Some(Fate::Absent(_)), _) => {}
            (_, Value::Opaque(source)) => {
                self.note(key, literal, &not_evaluated(source));
            }
            (None, _) => {
                let what = format!(
                    "nobody here knows it (= {}); if it is a consumer's, see the README of its plugin",
                    words(value)
                );
                self.note(key, literal, &what);
            }
            (Some(fate), _) => self.convert(fate, key, literal),
        }
    }

    fn convert(&mut self, fate: Fate, key: &str, literal: &Literal) {
        let value = &literal.value;
        match (fate, value) {
            (Fate::Text(to), Value::Text(text)) => self.set(&split(to), text.as_str()),
            (Fate::Flag(to), Value::Bool(truth)) => self.set(&split(to), *truth),
            (Fate::Flag(to), Value::Int(number)) => self.set(&split(to), *number != 0),
            (Fate::Number(to, least), Value::Int(number)) if *number >= least => {
                self.set(&split(to), *number);
            }
            (Fate::Duration(to, unit), Value::Int(number)) if *number >= 0 => {
                self.set(&split(to), format!("{number}{unit}"));
            }
            (Fate::File(_), Value::Text(url)) if url.contains("://") => {
                self.note(
                    key,
                    literal,
                    &format!("{url} is a URL; fetch it by a timer of the system, and name the file"),
                );
            }
            (Fate::File(to), Value::Text(path)) => self.set(&split(to), path.as_str()),
            (Fate::Addresses(name), _) => self.endpoint(name, key, literal),
            (Fate::Endpoints, Value::Dict(endpoints)) => {
                for (name, addresses) in endpoints {
                    self.endpoint(name, &format!("{key}.{name}"), addresses);
                }
            }
            (Fate::Services, Value::List(domains)) => {
                let domains = self.addresses(key, domains, "srv://");
                if !domains.is_empty() {
                    self.set(&["srv_endpoints"], domains);
                }
            }
            (Fate::Names(to), Value::Dict(members)) => {
                for (name, member) in members {
                    match &member.value {
                        Value::Text(text) => self.set(&[&split(to)[..], &[name]].concat(), text.as_str()),
                        _ => self.misfit(&format!("{key}.{name}"), member),
                    }
                }
            }
            (Fate::Policy(to), Value::Dict(topics)) => {
                for (topic, signers) in topics {
                    let key = format!("{key}.{topic}");
                    match &signers.value {
                        Value::List(signers) => {
                            let signers = self.texts(&key, signers);
                            self.set(&[&split(to)[..], &[topic]].concat(), signers);
                        }
                        _ => self.misfit(&key, signers),
                    }
                }
            }
            (Fate::Same(to), _) => {
                if !is_nothing(value)
                    && let Some(item) = self.item(key, literal)
                {
                    self.set_item(&split(to), item);
                }
            }
            (Fate::GatewayPort, Value::Int(port @ 1..=65535)) => {
                let address = Array::from_iter([format!("tcp://*:{port}")]);
                self.set(&["fedmsg", "consumers", "gateway", "addresses"], address);
            }
            (Fate::Active, Value::Bool(true)) => self.set(&["publish", "mode"], "connect"),
            (Fate::Active, Value::Bool(false)) => {
                let what = "what plugins publish goes to the relay, unless [publish] says `mode = \"bind\"` and an endpoint";
                self.note(key, literal, what);
            }
            (Fate::Backends, Value::Text(name)) if name == "x509" => {}
            (Fate::Backends, Value::List(names))
                if names.iter().all(|name| name.value == Value::Text("x509".to_owned())) => {}
            (Fate::Backends, _) => self.note(key, literal, "only x509 signatures are made and believed"),
            (Fate::Logging, Value::Dict(logging)) => self.logging(key, literal, logging),
            _ => self.misfit(key, literal),
        }
    }

    /// Says that a value is none that belongs there.
    fn misfit(&mut self, key: &str, literal: &Literal) {
        let what = match &literal.value {
            Value::Opaque(source) => not_evaluated(source),
            value => format!("{} is not understood; write by hand what it says", words(value)),
        };
        self.note(key, literal, &what);
    }

    /// The addresses of an endpoint: one, or a list.
    fn endpoint(&mut self, name: &str, key: &str, literal: &Literal) {
        let given = match &literal.value {
            Value::List(given) => given.as_slice(),
            _ => std::slice::from_ref(literal),
        };
        let addresses = self.addresses(key, given, "");
        if !addresses.is_empty() || given.is_empty() {
            self.set(&["endpoints", name], addresses);
        }
    }

    /// What of it is text.
    fn texts(&mut self, key: &str, given: &[Literal]) -> Array {
        let mut texts = Array::new();
        for text in given {
            match &text.value {
                Value::Text(text) => texts.push(text.as_str()),
                _ => self.misfit(key, text),
            }
        }
        texts
    }

    /// What of it is an address with this scheme before it.
    fn addresses(&mut self, key: &str, given: &[Literal], scheme: &str) -> Array {
        let mut addresses = Array::new();
        for address in given {
            match &address.value {
                Value::Text(text) => match format!("{scheme}{text}").parse::<Address>() {
                    Ok(_) => addresses.push(text.as_str()),
                    Err(error) => self.note(key, address, &error.to_string()),
                },
                _ => self.misfit(key, address),
            }
        }
        addresses
    }

    /// A value as it is, but for what has to be run: a dict as a table, a list of dicts as tables, too.
    fn item(&mut self, key: &str, literal: &Literal) -> Option<Item> {
        match &literal.value {
            Value::Dict(members) => Some(Item::Table(self.table(key, members))),
            Value::List(items) if !items.is_empty() && items.iter().all(is_dict) => {
                let mut tables = ArrayOfTables::new();
                for (n, item) in items.iter().enumerate() {
                    if let Value::Dict(members) = &item.value {
                        tables.push(self.table(&format!("{key}[{n}]"), members));
                    }
                }
                Some(Item::ArrayOfTables(tables))
            }
            _ => self.value(key, literal).map(Item::Value),
        }
    }

    fn table(&mut self, key: &str, members: &Dict) -> Table {
        let mut table = Table::new();
        for (name, member) in members {
            if let Some(item) = self.item(&format!("{key}.{name}"), member) {
                table.insert(name, item);
            }
        }
        table
    }

    /// The same on one line.
    fn value(&mut self, key: &str, literal: &Literal) -> Option<Toml> {
        match &literal.value {
            // TOML has no such thing; what is not there is the default.
            Value::None => None,
            Value::Bool(truth) => Some((*truth).into()),
            Value::Int(number) => Some((*number).into()),
            Value::Float(number) => Some((*number).into()),
            Value::Text(text) => Some(text.as_str().into()),
            Value::List(items) => {
                let items: Vec<Toml> = items.iter().filter_map(|item| self.value(key, item)).collect();
                Some(Array::from_iter(items).into())
            }
            Value::Dict(members) => {
                let mut table = InlineTable::new();
                for (name, member) in members {
                    if let Some(value) = self.value(&format!("{key}.{name}"), member) {
                        table.insert(name, value);
                    }
                }
                Some(table.into())
            }
            Value::Opaque(source) => {
                self.note(key, literal, &not_evaluated(source));
                None
            }
        }
    }

    /// Of all that Python's logging can do, the level of what fedmsg logs.
    fn logging(&mut self, key: &str, literal: &Literal, logging: &Dict) {
        let level =
            ["loggers", "fedmsg", "level"].iter().try_fold(&literal.value, |value, name| match value {
                Value::Dict(members) => members.get(*name).map(|inner| &inner.value),
                _ => None,
            });
        let level = match level {
            Some(Value::Text(level)) => Some(level.to_lowercase()),
            _ => None,
        };
        match level.as_deref() {
            Some("critical" | "error") => self.set(&["log", "level"], "error"),
            Some("warning" | "warn") => self.set(&["log", "level"], "warn"),
            Some(level @ ("info" | "debug")) => self.set(&["log", "level"], level),
            _ => {}
        }
        if !logging.is_empty() {
            self.note(
                key,
                literal,
                "only the level of loggers.fedmsg is taken over; the log goes to standard error",
            );
        }
    }

    fn set(&mut self, path: &[&str], value: impl Into<Toml>) {
        self.set_item(path, Item::Value(value.into()));
    }

    /// Sets a key, and makes the tables above it.
    fn set_item(&mut self, path: &[&str], item: Item) {
        let Some((key, tables)) = path.split_last() else { return };
        let mut table = self.toml.as_table_mut();
        for name in tables {
            let inner = table.entry(name).or_insert_with(|| {
                let mut inner = Table::new();
                inner.set_implicit(true);
                Item::Table(inner)
            });
            // Nothing else is ever put where a table belongs.
            let Some(inner) = inner.as_table_mut() else { return };
            table = inner;
        }
        table.insert(key, item);
    }

    /// The text, with all notes on top.
    pub(super) fn finish(mut self) -> Imported {
        self.notes.sort_by_key(|(file, line, _)| (*file, *line));
        let notes: Vec<String> = self
            .notes
            .iter()
            .map(|(file, line, what)| {
                let path = self.files.get(*file).map(|path| path.display().to_string()).unwrap_or_default();
                // A line end in a name would end the comment.
                message::printable(&format!("{path}:{line}: {what}")).into_owned()
            })
            .collect();
        let mut toml = "# Made from the Python fedmsg's configuration by fedmsg-config import.\n".to_owned();
        if !notes.is_empty() {
            toml.push_str("#\n# Not taken over:\n");
            notes.iter().for_each(|note| toml.push_str(&format!("#   {note}\n")));
        }
        toml.push('\n');
        toml.push_str(&self.toml.to_string());
        Imported { toml, notes }
    }
}

fn not_evaluated(source: &str) -> String {
    format!("`{source}` is not evaluated; write by hand what it says")
}

fn is_dict(literal: &Literal) -> bool {
    matches!(literal.value, Value::Dict(_))
}

/// The parts of one of our own keys.
fn split(key: &str) -> Vec<&str> {
    key.split('.').collect()
}

/// Whether Python, too, does nothing with it.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(false) | Value::Int(0) => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Dict(members) => members.is_empty(),
        _ => false,
    }
}
