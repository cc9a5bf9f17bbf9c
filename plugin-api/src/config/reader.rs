//! A deserializer over [`Value`] that knows where it is, and takes note of keys that nobody reads.
//!
//! With `serde`'s own, keys unknown to a struct are ignored unless its author wrote `deny_unknown_fields`,
//! which then stops at the first. What `serde` reads in two steps (flattened structs, tagged and untagged
//! enums) is read whole by it; in there an unknown key goes unseen.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::problem;
use crate::error::ConfigProblem;

/// A value at a place.
#[derive(Clone)]
pub(super) struct Reader<'de> {
    value: &'de Value,
    /// The dotted keys that lead here.
    path: String,
    unknown: &'de RefCell<Vec<ConfigProblem>>,
}

impl<'de> Reader<'de> {
    pub(super) fn new(value: &'de Value, unknown: &'de RefCell<Vec<ConfigProblem>>) -> Self {
        Self { value, path: String::new(), unknown }
    }

    fn child(&self, key: &dyn fmt::Display, value: &'de Value) -> Self {
        let path = if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) };
        Self { value, path, unknown: self.unknown }
    }

    fn members(&self, table: &'de Map<String, Value>, take: impl Fn(&str) -> bool) -> Members<'de> {
        let members = table.iter().filter(|(key, _)| take(key));
        let members: Vec<_> = members.map(|(key, value)| (key.as_str(), self.child(key, value))).collect();
        Members { rest: members.into_iter(), value: None }
    }

    /// Reads it; an error is one of this place, unless it is one further in.
    fn place<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        let path = self.path.clone();
        seed.deserialize(self).map_err(|error| error.at(&path))
    }

    fn note_unknown(&self, key: &str, known: &[&str]) {
        let distance = |name: &&&str| strsim::damerau_levenshtein(key, name);
        let near = known.iter().min_by_key(distance).filter(|name| distance(name) <= 1 + key.len() / 4);
        let message = match near {
            Some(name) => format!("unknown key; did you mean `{name}`?"),
            None if known.is_empty() => "unknown key; there are none here".to_owned(),
            None => format!("unknown key; there are `{}`", known.join("`, `")),
        };
        self.unknown.borrow_mut().push(problem(&self.child(&key, self.value).path, &message));
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(table) => visitor.visit_map(self.members(table, |_| true)),
            Value::Array(items) => {
                let items: Vec<_> =
                    items.iter().enumerate().map(|(index, item)| self.child(&index, item)).collect();
                visitor.visit_seq(Items(items.into_iter()))
            }
            leaf => leaf.deserialize_any(visitor).map_err(de::Error::custom),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(table) = self.value else { return self.deserialize_any(visitor) };
        let is_known = |key: &str| fields.contains(&key);
        table.keys().filter(|key| !is_known(key)).for_each(|key| self.note_unknown(key, fields));
        visitor.visit_map(self.members(table, is_known))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(table) => {
                table.keys().for_each(|key| self.note_unknown(key, &[]));
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(table) => {
                visitor.visit_enum(MapAccessDeserializer::new(self.members(table, |_| true)))
            }
            Value::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            other => other.deserialize_any(visitor).map_err(de::Error::custom),
        }
    }

    /// What nobody reads, among the fields of an enum's variant.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.unknown.borrow_mut().push(problem(&self.path, &"unknown key"));
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple
        tuple_struct map identifier
    }
}

/// What a table holds. What goes wrong with a value after it was read, as with `#[serde(try_from)]`, is told here, too,
/// and nowhere further in: so this is where an error learns its place.
struct Members<'de> {
    rest: std::vec::IntoIter<(&'de str, Reader<'de>)>,
    /// That of the key read last.
    value: Option<Reader<'de>>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let key = seed.deserialize(key.into_deserializer()).map_err(|error: Error| error.at(&value.path))?;
        self.value = Some(value);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value =
            self.value.take().ok_or_else(|| de::Error::custom("a value is asked for before its key"))?;
        value.place(seed)
    }
}

/// What an array holds; as [`Members`].
struct Items<'de>(std::vec::IntoIter<Reader<'de>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| item.place(seed)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// An error that learns its place from the innermost member or item that it passes.
#[derive(Debug)]
pub(super) struct Error {
    path: Option<String>,
    message: String,
}

impl Error {
    fn at(self, path: &str) -> Self {
        Self { path: self.path.or_else(|| Some(path.to_owned())), ..self }
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: None, message: message.to_string() }
    }
}

impl From<Error> for ConfigProblem {
    fn from(error: Error) -> Self {
        problem(&error.path.unwrap_or_default(), &error.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
