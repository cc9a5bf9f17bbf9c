//! The members of an object, as they stand in the text.

use std::borrow::Cow;
use std::ops::Range;

use super::decode;
use super::scan::{Error, Kind, Problem, Sink, fail, scan, skip_space};

/// Calls `visit` with each member of the object that `text` is: the key's token with its quotes (see
/// [`super::decode`]) and the text of the value. Members come in the order of the text; of those with the
/// same key Python keeps the last.
///
/// # Errors
/// [`Error`] when `text` is not what `json.loads` accepts, or no object. Members seen before that have been
/// visited.
pub fn members<'t>(text: &'t str, visit: impl FnMut(&'t str, &'t str)) -> Result<(), Error> {
    let mut sink = Members { text, visit, depth: 0, key: "", value_at: 0, is_object: false };
    scan(text, &mut sink)?;
    if sink.is_object { Ok(()) } else { fail(skip_space(text.as_bytes(), 0), Problem::NotAnObject) }
}

/// The object anew, each member with the value that `edit` gives it, or without it. The key is as [`decode`] has it, and
/// values are JSON.
///
/// # Errors
/// As [`members`].
pub fn edited<'t>(
    object: &'t str,
    mut edit: impl FnMut(Option<&str>, &'t str) -> Option<Cow<'t, str>>,
) -> Result<String, Error> {
    let mut text = String::with_capacity(object.len());
    members(object, |key, value| {
        if let Some(value) = edit(decode(key).as_deref(), value) {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.extend([key, ":", &*value]);
        }
    })?;
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    Ok(text)
}

/// Picks the members of the outermost object.
struct Members<'t, F> {
    text: &'t str,
    visit: F,
    depth: usize,
    key: &'t str,
    value_at: usize,
    is_object: bool,
}

impl<'t, F: FnMut(&'t str, &'t str)> Sink for Members<'t, F> {
    fn key(&mut self, token: Range<usize>) {
        if self.depth == 1 {
            self.key = &self.text[token];
        }
    }

    fn scalar(&mut self, _: Kind, token: Range<usize>) {
        if self.depth == 1 && self.is_object {
            (self.visit)(self.key, &self.text[token]);
        }
    }

    fn open(&mut self, kind: Kind, at: usize) {
        match self.depth {
            0 => self.is_object = kind == Kind::Object,
            1 => self.value_at = at,
            _ => {}
        }
        self.depth += 1;
    }

    fn close(&mut self, end: usize) {
        self.depth -= 1;
        if self.depth == 1 && self.is_object {
            (self.visit)(self.key, &self.text[self.value_at..end]);
        }
    }
}
