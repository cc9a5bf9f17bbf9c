//! One layer of the configuration: TOML text, from a file, an environment variable or the command line,
//! as a source for crate `config`, with the place of each of its keys.

use std::path::Path;

use config::{ConfigError, Map, Source, Value, ValueKind};
use toml_edit::{Document, Item, TableLike};

use crate::origin::{KeyPath, Origins};
use crate::{Origin, Problem};

/// What one source says.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    values: Map<String, Value>,
    places: Vec<(KeyPath, Origin)>,
}

impl Layer {
    /// The whole of a TOML file.
    pub(crate) fn from_file(path: &Path, text: &str) -> Result<Self, Problem> {
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let document = Document::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            Problem::new(Origin::File(path.to_owned(), Some(line)), "", error.message())
        })?;
        let mut places = Vec::new();
        let mut place = |at: &[String], offset: Option<usize>| {
            if let Some(offset) = offset {
                places.push((at.to_vec(), Origin::File(path.to_owned(), Some(line_of(offset)))));
            }
        };
        let values = table(document.as_table(), &mut Vec::new(), &mut place);
        Ok(Self { values, places })
    }

    /// One key from outside any file. The text is read as a TOML value where it is one, and else taken as
    /// a string, so that `--set environment=prod` needs no quotes.
    pub(crate) fn from_assignment(path: KeyPath, text: &str, origin: &Origin) -> Self {
        let leaf = text.parse::<toml_edit::Value>().map_or_else(
            |_| Value::new(None, text),
            |value| item(&Item::Value(value), &mut Vec::new(), &mut |_, _| {}),
        );
        let places = (1..=path.len()).map(|n| (path[..n].to_vec(), origin.clone())).collect();
        let mut keys = path.into_iter().rev();
        let innermost = keys.next().unwrap_or_default();
        let values = keys.fold(Map::from([(innermost, leaf)]), |inner, key| {
            Map::from([(key, Value::new(None, ValueKind::Table(inner)))])
        });
        Self { values, places }
    }

    /// The text at this path, if there is one.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        let (last, tables) = path.split_last()?;
        let mut values = self.values.clone();
        for name in tables {
            values = values.remove(*name)?.into_table().ok()?;
        }
        match values.remove(*last)?.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        for (path, origin) in &self.places {
            origins.insert(path.clone(), origin.clone());
        }
        origins
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.clone())
    }
}

/// Called with each key's path and where in the text it begins, if it stands there.
type Place<'a> = dyn FnMut(&[String], Option<usize>) + 'a;

fn table(table: &dyn TableLike, path: &mut KeyPath, place: &mut Place<'_>) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in table.iter() {
        path.push(name.to_owned());
        let key = table.key(name).and_then(toml_edit::Key::span);
        place(path, key.or_else(|| value.span()).map(|span| span.start));
        values.insert(name.to_owned(), item(value, path, place));
        path.pop();
    }
    values
}

fn item(value: &Item, path: &mut KeyPath, place: &mut Place<'_>) -> Value {
    let kind = match value {
        Item::None => ValueKind::Nil,
        Item::Value(toml_edit::Value::String(text)) => ValueKind::String(text.value().clone()),
        Item::Value(toml_edit::Value::Integer(number)) => ValueKind::I64(*number.value()),
        Item::Value(toml_edit::Value::Float(number)) => ValueKind::Float(*number.value()),
        Item::Value(toml_edit::Value::Boolean(truth)) => ValueKind::Boolean(*truth.value()),
        Item::Value(toml_edit::Value::Datetime(time)) => ValueKind::String(time.value().to_string()),
        Item::Value(toml_edit::Value::Array(array)) => ValueKind::Array(
            array.iter().map(|value| item(&Item::Value(value.clone()), path, &mut |_, _| {})).collect(),
        ),
        Item::Value(toml_edit::Value::InlineTable(inner)) => ValueKind::Table(table(inner, path, place)),
        Item::Table(inner) => ValueKind::Table(table(inner, path, place)),
        Item::ArrayOfTables(tables) => ValueKind::Array(
            tables
                .iter()
                .map(|inner| Value::new(None, ValueKind::Table(table(inner, path, &mut |_, _| {}))))
                .collect(),
        ),
    };
    Value::new(None, kind)
}
