//! What Python's `json.loads` makes of a message.

use message::json;

use super::text;

/// Values nested deeper are not loaded: neither stack nor indentation would bear it. Python gives up at about the same
/// depth.
pub const MAX_DEPTH: usize = 300;

/// Why a text is no value.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be walked recursively.
    #[error("nested over {MAX_DEPTH} levels deep")]
    TooDeep,
    /// It is not what Python reads.
    #[error("not JSON: {0}")]
    NotJson(#[from] json::Error),
}

/// A value as Python holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, `None`, `True` or `False`: its `repr`.
    Atom(String),
    /// A `str`: its code points, lone surrogates included.
    Text(Vec<u32>),
    /// A `list`.
    List(Vec<Value>),
    /// A `dict`, in its order.
    Dict(Vec<(Vec<u32>, Value)>),
}

impl Value {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// It is none, or nested over [`MAX_DEPTH`] levels deep.
    pub fn load(text: &str) -> Result<Self, LoadError> {
        if json::depth(text) > MAX_DEPTH {
            return Err(LoadError::TooDeep);
        }
        // It leaves ASCII, no key twice, and every number as Python writes it.
        let text = json::pretty(text)?;
        let text = String::from_utf8(text).unwrap_or_default();
        Ok(Reader { rest: &text }.value())
    }

    /// A `str`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.chars().map(u32::from).collect())
    }

    /// What the `dict` has under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(members) = self else { return None };
        members
            .iter()
            .find(|(name, _)| name.iter().copied().eq(key.chars().map(u32::from)))
            .map(|(_, value)| value)
    }

    /// Python's `repr`.
    #[must_use]
    pub fn repr(&self) -> String {
        let mut out = String::new();
        self.write_repr(&mut out);
        out
    }

    /// Python's `str`: a text itself, of anything else the `repr`.
    #[must_use]
    pub fn to_str(&self) -> String {
        match self {
            Self::Text(points) => text::display(points),
            other => other.repr(),
        }
    }

    fn write_repr(&self, out: &mut String) {
        match self {
            Self::Atom(repr) => out.push_str(repr),
            Self::Text(points) => out.push_str(&text::repr(points)),
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    item.write_repr(out);
                }
                out.push(']');
            }
            Self::Dict(members) => {
                out.push('{');
                for (n, (key, value)) in members.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    out.push_str(&text::repr(key));
                    out.push_str(": ");
                    value.write_repr(out);
                }
                out.push('}');
            }
        }
    }

    /// Sorts every `dict` by its keys.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Atom(_) | Self::Text(_) => {}
            Self::List(items) => items.iter_mut().for_each(Self::sort),
            Self::Dict(members) => {
                members.sort_by(|one, other| one.0.cmp(&other.0));
                members.iter_mut().for_each(|(_, value)| value.sort());
            }
        }
    }
}

/// Reads what `json::pretty` writes, which has no mistakes.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn value(&mut self) -> Value {
        match self.peek() {
            Some('{') => {
                let mut members = Vec::new();
                while self.advances_to_item('}') {
                    let key = self.string();
                    self.skip(1);
                    members.push((key, self.value()));
                }
                Value::Dict(members)
            }
            Some('[') => {
                let mut items = Vec::new();
                while self.advances_to_item(']') {
                    items.push(self.value());
                }
                Value::List(items)
            }
            Some('"') => Value::Text(self.string()),
            _ => {
                let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
                Value::Atom(python_atom(self.skip(end)).to_owned())
            }
        }
    }

    /// Skips the opening bracket or the comma; or the closing bracket, then false.
    fn advances_to_item(&mut self, closing: char) -> bool {
        if self.peek() != Some(closing) {
            self.skip(1);
        }
        let is_item = self.peek().is_some_and(|next| next != closing);
        if !is_item {
            self.skip(1);
        }
        is_item
    }

    fn string(&mut self) -> Vec<u32> {
        self.peek();
        let len = json::string_len(self.rest);
        text::decode(self.skip(len))
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\n']);
        self.rest.chars().next()
    }

    fn skip(&mut self, len: usize) -> &'t str {
        let (skipped, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        skipped
    }
}

fn python_atom(token: &str) -> &str {
    match token {
        "null" => "None",
        "true" => "True",
        "false" => "False",
        "NaN" => "nan",
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        number => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(json: &str) -> String {
        Value::load(json).unwrap().repr()
    }

    #[test]
    fn values_are_written_as_by_pythons_repr() {
        for (json, expected) in [
            ("[]", "[]"),
            ("{}", "{}"),
            ("[[],{},\"\"]", "[[], {}, '']"),
            (r#"{"b":1,"a":[null,true,false],"b":2}"#, "{'b': 2, 'a': [None, True, False]}"),
            ("[NaN,Infinity,-Infinity,1e400,-0,1.50,1e22]", "[nan, inf, -inf, inf, 0, 1.5, 1e+22]"),
            (r#"{"a,]}":{"b\"":"\\"}}"#, r#"{'a,]}': {'b"': '\\'}}"#),
        ] {
            assert_eq!(repr(json), expected, "{json}");
        }
    }

    #[test]
    fn the_str_of_a_text_is_the_text() {
        assert_eq!(Value::load(r#""don't \u010d\n""#).unwrap().to_str(), "don't č\n");
        assert_eq!(Value::load(r#"["č"]"#).unwrap().to_str(), "['č']");
    }

    #[test]
    fn members_are_found_by_their_decoded_names() {
        let dict = Value::load(r#"{"\u010d":1}"#).unwrap();
        assert_eq!(dict.get("č"), Some(&Value::Atom("1".to_owned())));
        assert_eq!(dict.get("c"), None);
        assert_eq!(Value::load("[1]").unwrap().get("0"), None);
    }
}
