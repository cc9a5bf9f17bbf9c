//! Python's values, as far as its literals say them. Nothing is run: whatever would have to be is [`Value::Opaque`], with
//! the words of the source.

use std::collections::BTreeMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::lexer::{Kind, Token, Unterminated};

/// Deeper nested values are given up.
const MAX_DEPTH: usize = 100;

/// So many bytes of a file's values may come from the use of variables: a few lines can double a list over and over.
const MAX_COPIED: usize = 64 * 1024 * 1024;

/// A value, and the line that it begins in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) value: Value,
    /// Counted from 1.
    pub(super) line: usize,
    /// The index of the file among those that were read.
    pub(super) file: usize,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A list, tuple or set.
    List(Vec<Literal>),
    /// In the order of the source; of a key that comes twice, the last.
    Dict(Dict),
    /// Only a running Python knows; the source.
    Opaque(String),
}

/// A dict's members.
pub(super) type Dict = IndexMap<String, Literal>;

/// What can't be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// A string without its end.
    #[error("line {0}: a string that begins here does not end")]
    Unterminated(usize),
    /// Brackets that don't match, or something missing.
    #[error("line {0}: not Python")]
    Unexpected(usize),
}

impl From<Unterminated> for SyntaxError {
    fn from(Unterminated { line }: Unterminated) -> Self {
        Self::Unterminated(line)
    }
}

/// The source from the first to the last token.
pub(super) fn span<'s>(source: &'s str, tokens: &[Token<'s>]) -> &'s str {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "" };
    let offset = |token: &Token<'_>| token.text.as_ptr().addr() - source.as_ptr().addr();
    source.get(offset(first)..offset(last) + last.text.len()).unwrap_or_default()
}

/// What is known when a value is come to.
pub(super) struct Scope<'s> {
    pub(super) source: &'s str,
    /// What literals are marked with.
    file: usize,
    /// What names stand for.
    pub(super) variables: BTreeMap<&'s str, Rc<Literal>>,
    /// Of [`MAX_COPIED`].
    left: usize,
}

impl<'s> Scope<'s> {
    pub(super) fn new(source: &'s str, file: usize) -> Self {
        Self { source, file, variables: BTreeMap::new(), left: MAX_COPIED }
    }

    /// What these tokens, all of them, stand for.
    pub(super) fn value(&mut self, tokens: &[Token<'s>]) -> Result<Literal, SyntaxError> {
        let mut parser = Parser { tokens, at: 0, scope: self };
        let value = parser.expression(0)?;
        if parser.peek().is_some() { Err(parser.unexpected()) } else { Ok(value) }
    }

    /// A variable's value once more; `None` if it is nested too deep there, or there are too many by now.
    fn copy(&mut self, value: &Value, depth: usize) -> Option<Value> {
        let text = if let Value::Text(text) | Value::Opaque(text) = value { text.len() } else { 0 };
        self.left = self.left.checked_sub(size_of::<Literal>() + text).filter(|_| depth < MAX_DEPTH)?;
        let mut inner = |literal: &Literal| {
            self.copy(&literal.value, depth + 1).map(|value| Literal { value, ..*literal })
        };
        Some(match value {
            Value::List(items) => Value::List(items.iter().map(inner).collect::<Option<_>>()?),
            Value::Dict(members) => {
                let members = members.iter().map(|(key, member)| Some((key.clone(), inner(member)?)));
                Value::Dict(members.collect::<Option<_>>()?)
            }
            _ => value.clone(),
        })
    }
}

struct Parser<'p, 's> {
    tokens: &'p [Token<'s>],
    at: usize,
    scope: &'p mut Scope<'s>,
}

impl<'p, 's> Parser<'p, 's> {
    fn peek(&self) -> Option<&'p Token<'s>> {
        self.tokens.get(self.at)
    }

    fn next_is(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.text == text && !matches!(token.kind, Kind::Text(_)))
    }

    /// Takes the sign, if it comes next.
    fn takes(&mut self, text: &str) -> bool {
        let is = self.next_is(text);
        self.at += usize::from(is);
        is
    }

    fn unexpected(&self) -> SyntaxError {
        let token = self.peek().or(self.tokens.last());
        SyntaxError::Unexpected(token.map_or(1, |token| token.line))
    }

    /// A value up to the comma, colon or bracket behind it, or to the statement's end.
    fn expression(&mut self, depth: usize) -> Result<Literal, SyntaxError> {
        let start = self.at;
        let line = self.peek().ok_or_else(|| self.unexpected())?.line;
        let value = if depth < MAX_DEPTH { self.operand(depth)? } else { None };
        let value = match value {
            Some(value) if self.is_at_end() => value,
            // What is done with the value only Python can do.
            _ => {
                self.at = start;
                self.skip();
                if self.at == start {
                    return Err(self.unexpected());
                }
                Value::Opaque(self.between(start))
            }
        };
        Ok(Literal { value, line, file: self.scope.file })
    }

    fn between(&self, start: usize) -> String {
        let text = span(self.scope.source, self.tokens.get(start..self.at).unwrap_or_default());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn is_at_end(&self) -> bool {
        let Some(token) = self.peek() else { return true };
        token.kind == Kind::Sign && matches!(token.text, "," | ":" | ")" | "]" | "}")
    }

    /// To the end of the expression, through all brackets in it.
    fn skip(&mut self) {
        let (mut open, mut lambdas) = (0_usize, 0_usize);
        while let Some(token) = self.peek() {
            match (token.text, &token.kind) {
                ("lambda", Kind::Name) if open == 0 => lambdas += 1,
                (":", Kind::Sign) if open == 0 && lambdas > 0 => lambdas -= 1,
                ("(" | "[" | "{", Kind::Sign) => open += 1,
                (_, Kind::Sign) if open == 0 && self.is_at_end() => return,
                (")" | "]" | "}", Kind::Sign) => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// A literal or a variable; `None` for whatever else begins here.
    fn operand(&mut self, depth: usize) -> Result<Option<Value>, SyntaxError> {
        let Some(token) = self.peek() else { return Ok(None) };
        self.at += 1;
        Ok(match (&token.kind, token.text) {
            (Kind::Text(first), _) => {
                let mut text = first.clone();
                while let Some(Token { kind: Kind::Text(more), .. }) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Some(Value::Text(text))
            }
            (Kind::Number, digits) => number(digits),
            (Kind::Sign, "-") if self.peek().is_some_and(|next| next.kind == Kind::Number) => {
                match self.operand(depth)? {
                    Some(Value::Int(number)) => number.checked_neg().map(Value::Int),
                    Some(Value::Float(number)) => Some(Value::Float(-number)),
                    _ => None,
                }
            }
            (Kind::Sign, "[") => Some(self.items("]", depth)?.0),
            (Kind::Sign, "(") => match self.items(")", depth)? {
                // Brackets around a value are not a tuple.
                (Value::List(mut items), false) if items.len() == 1 => items.pop().map(|item| item.value),
                (tuple, _) => Some(tuple),
            },
            (Kind::Sign, "{") => Some(self.dict(depth)?),
            (Kind::Name, "None") => Some(Value::None),
            (Kind::Name, "True") => Some(Value::Bool(true)),
            (Kind::Name, "False") => Some(Value::Bool(false)),
            (Kind::Name, "dict") if self.takes("(") => self.keywords(depth)?,
            (Kind::Name, name) => {
                let variable = self.scope.variables.get(name).cloned();
                variable.and_then(|literal| self.scope.copy(&literal.value, depth))
            }
            _ => None,
        })
    }

    /// Values up to `closing`; and whether there was a comma.
    fn items(&mut self, closing: &str, depth: usize) -> Result<(Value, bool), SyntaxError> {
        let mut items = Vec::new();
        let mut comma = items.is_empty() && self.next_is(closing);
        while !self.takes(closing) {
            items.push(self.expression(depth + 1)?);
            if self.takes(",") {
                comma = true;
            } else if !self.next_is(closing) {
                return Err(self.unexpected());
            }
        }
        Ok((Value::List(items), comma))
    }

    /// What is behind `{`: a dict, or a set.
    fn dict(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let (mut members, mut items) = (Dict::new(), Vec::new());
        while !self.takes("}") {
            if self.takes("**") {
                let more = self.expression(depth + 1)?;
                spread(&mut members, more);
            } else {
                let key = self.expression(depth + 1)?;
                if self.takes(":") {
                    let mut value = self.expression(depth + 1)?;
                    if let Value::Opaque(source) = &key.value {
                        value.value = Value::Opaque(source.clone());
                    }
                    members.insert(key_text(key.value), value);
                } else {
                    items.push(key);
                }
            }
            if !self.takes(",") && !self.next_is("}") {
                return Err(self.unexpected());
            }
        }
        Ok(if items.is_empty() { Value::Dict(members) } else { Value::List(items) })
    }

    /// What is behind `dict(`; `None` if it is called with something else than keywords.
    fn keywords(&mut self, depth: usize) -> Result<Option<Value>, SyntaxError> {
        let mut members = Dict::new();
        let mut plain = true;
        while !self.takes(")") {
            let key = self.peek().ok_or_else(|| self.unexpected())?;
            let is_keyword = key.kind == Kind::Name
                && self
                    .tokens
                    .get(self.at + 1)
                    .is_some_and(|next| next.kind == Kind::Sign && next.text == "=");
            if is_keyword {
                self.at += 2;
                let value = self.expression(depth + 1)?;
                members.insert(key.text.to_owned(), value);
            } else if self.takes("**") {
                let more = self.expression(depth + 1)?;
                spread(&mut members, more);
            } else {
                match self.expression(depth + 1)? {
                    Literal { value: Value::Dict(more), .. } => members.extend(more),
                    _ => plain = false,
                }
            }
            if !self.takes(",") && !self.next_is(")") {
                return Err(self.unexpected());
            }
        }
        Ok(plain.then_some(Value::Dict(members)))
    }
}

/// What `**` brings in; what it is if it is no literal is kept under that name.
fn spread(members: &mut Dict, more: Literal) {
    match more {
        Literal { value: Value::Dict(more), .. } => members.extend(more),
        Literal { value: Value::Opaque(source), .. } => {
            members.insert(format!("**{source}"), Literal { value: Value::Opaque(source), ..more });
        }
        _ => {}
    }
}

/// A dict's key, as the configuration names it.
fn key_text(key: Value) -> String {
    match key {
        Value::Text(text) | Value::Opaque(text) => text,
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn number(digits: &str) -> Option<Value> {
    let digits = digits.replace('_', "").to_lowercase();
    let based = |digits: &str, base| i64::from_str_radix(digits, base).ok().map(Value::Int);
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return based(digits, base);
        }
    }
    let is_float = digits.contains(['.', 'e']);
    match is_float {
        true => digits.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float),
        // Octal in Python 2, an error in Python 3.
        false if digits.starts_with('0') && digits.contains(|digit| digit != '0') => None,
        false => based(&digits, 10),
    }
}
