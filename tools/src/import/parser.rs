//! What a Python file sets, as far as its literals say it. Nothing is run: whatever would have to be is
//! [`Value::Opaque`], with the words of the source.

use std::collections::BTreeMap;

use super::lexer::{Kind, Token, Unterminated, tokens};

/// Deeper nested values are given up.
const MAX_DEPTH: usize = 100;

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
    Dict(Vec<(String, Literal)>),
    /// Only a running Python knows; the source.
    Opaque(String),
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// What `config` is set to.
    pub(super) config: Option<Literal>,
    /// Statements that may matter and are not evaluated: line and first words.
    pub(super) skipped: Vec<(usize, String)>,
}

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

/// Reads a file; `file` is what its literals are marked with.
pub(super) fn parse(source: &str, file: usize) -> Result<Module, SyntaxError> {
    let tokens = tokens(source)?;
    let mut module = Module::default();
    let mut variables = BTreeMap::new();
    for statement in tokens.split(|token| token.kind == Kind::End) {
        let Some(first) = statement.first().filter(|first| !first.indented) else { continue };
        match statement {
            [Token { text: "import" | "from", .. }, ..] => {}
            [Token { kind: Kind::Text(_), .. }] => {}
            [name, Token { text: "=", kind: Kind::Sign, .. }, expression @ ..] if name.kind == Kind::Name => {
                let mut parser = Parser { tokens: expression, at: 0, file, variables: &variables, source };
                let value = parser.expression(0)?;
                if let Some(token) = parser.peek() {
                    return Err(SyntaxError::Unexpected(token.line));
                }
                variables.insert(name.text, value);
            }
            _ => module.skipped.push((first.line, words(source, statement))),
        }
    }
    module.config = variables.remove("config");
    Ok(module)
}

/// The beginning of a statement, on one line.
fn words(source: &str, tokens: &[Token<'_>]) -> String {
    let text = span(source, tokens);
    let line = text.lines().next().unwrap_or_default().trim_end();
    if line.len() < text.len() { format!("{line} …") } else { line.to_owned() }
}

/// The source from the first to the last token.
fn span<'s>(source: &'s str, tokens: &[Token<'s>]) -> &'s str {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "" };
    let offset = |token: &Token<'_>| token.text.as_ptr().addr() - source.as_ptr().addr();
    source.get(offset(first)..offset(last) + last.text.len()).unwrap_or_default()
}

struct Parser<'p, 's> {
    tokens: &'p [Token<'s>],
    at: usize,
    file: usize,
    variables: &'p BTreeMap<&'s str, Literal>,
    source: &'s str,
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
        Ok(Literal { value, line, file: self.file })
    }

    fn between(&self, start: usize) -> String {
        let text = span(self.source, self.tokens.get(start..self.at).unwrap_or_default());
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
            (Kind::Sign, "-") => match self.operand(depth)? {
                Some(Value::Int(number)) => number.checked_neg().map(Value::Int),
                Some(Value::Float(number)) => Some(Value::Float(-number)),
                _ => None,
            },
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
            (Kind::Name, name) => self.variables.get(name).map(|literal| literal.value.clone()),
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
        let (mut members, mut items) = (Vec::new(), Vec::new());
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
                    set(&mut members, key_text(key.value), value);
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
        let mut members = Vec::new();
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
                set(&mut members, key.text.to_owned(), value);
            } else if self.takes("**") {
                let more = self.expression(depth + 1)?;
                spread(&mut members, more);
            } else {
                match self.expression(depth + 1)? {
                    Literal { value: Value::Dict(more), .. } => {
                        more.into_iter().for_each(|(key, value)| set(&mut members, key, value));
                    }
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

fn set(members: &mut Vec<(String, Literal)>, key: String, value: Literal) {
    match members.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => members.push((key, value)),
    }
}

/// What `**` brings in; what it is if it is no literal is kept under that name.
fn spread(members: &mut Vec<(String, Literal)>, more: Literal) {
    match more {
        Literal { value: Value::Dict(more), .. } => {
            more.into_iter().for_each(|(key, value)| set(members, key, value));
        }
        Literal { value: Value::Opaque(source), .. } => {
            set(members, format!("**{source}"), Literal { value: Value::Opaque(source), ..more });
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
        false => based(&digits, 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(source: &str) -> Literal {
        parse(source, 0).unwrap().config.unwrap()
    }

    /// In the words of Python, of what is no dict.
    fn shown(value: &Value) -> String {
        let items =
            |items: &[Literal]| items.iter().map(|item| shown(&item.value)).collect::<Vec<_>>().join(", ");
        match value {
            Value::None => "None".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(list) => format!("[{}]", items(list)),
            Value::Dict(members) => {
                let members = members.iter().map(|(key, value)| format!("{key}: {}", shown(&value.value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            Value::Opaque(source) => format!("<{source}>"),
        }
    }

    #[test]
    fn literals_are_evaluated() {
        let source = "
import os
'''A text.'''
PORT = 4001; host = 'h'
base = dict(a=1, b=[1, 2.5, -3, 0x1F, 1_000],)
config = dict(
    one='a' \"b\"
        'c',   # joined
    two={'x.y': (1,), 'z': (2), 3: None, 'set': {1, 2}},
    three=[True, False, [], (), {}],
    port=PORT, **base
)
";
        let expected = "{one: \"abc\", two: {x.y: [1], z: 2, 3: None, set: [1, 2]}, \
                        three: [true, false, [], [], {}], port: 4001, a: 1, b: [1, 2.5, -3, 31, 1000]}";
        assert_eq!(shown(&config(source).value), expected);
        assert_eq!(shown(&config("config = {'a': 1, **{'b': 2}, 'a': 3}").value), "{a: 3, b: 2}");
    }

    #[test]
    fn what_would_have_to_be_run_is_quoted_and_never_run() {
        let source = "config = dict(
    a=os.getcwd() + '/pki', b='%s' % host, c=f'{x}', d=[x for x in y], e=1 if z else 2,
    f=bool(int(os.environ.get('A', '0'))), g=lambda x: {1: 2}, h=unknown, i=b'x', j='a' + 'b', k=not True,
    l={'k' + n: 1}, m=[1, 2][0], **extra(1)
)";
        let expected = "{a: <os.getcwd() + '/pki'>, b: <'%s' % host>, c: <f'{x}'>, d: [<x for x in y>], \
                        e: <1 if z else 2>, f: <bool(int(os.environ.get('A', '0')))>, g: <lambda x: {1: 2}>, \
                        h: <unknown>, i: <b'x'>, j: <'a' + 'b'>, k: <not True>, l: {'k' + n: <'k' + n>}, \
                        m: <[1, 2][0]>, **extra(1): <extra(1)>}";
        assert_eq!(shown(&config(source).value), expected);
        let Value::Dict(members) = config(source).value else { panic!("a dict") };
        assert_eq!(
            members.iter().map(|(_, value)| value.line).collect::<Vec<_>>()[..7],
            [2, 2, 2, 2, 2, 3, 3]
        );
    }

    #[test]
    fn statements_that_are_not_evaluated_are_named() {
        let source =
            "config = {}\nif x:\n    config = 1\nconfig['a'] = 2\nconfig.update(\n a=1)\nprint('x')\n";
        let module = parse(source, 0).unwrap();
        assert_eq!(shown(&module.config.unwrap().value), "{}");
        let skipped: Vec<_> = module.skipped.iter().map(|(line, words)| (*line, words.as_str())).collect();
        assert_eq!(
            skipped,
            [(2, "if x:"), (4, "config['a'] = 2"), (5, "config.update( …"), (7, "print('x')"),]
        );
    }

    #[test]
    fn what_is_no_python_is_an_error_with_its_line() {
        for (source, line) in
            [("config = [1 2\n", 1), ("\nconfig = {'a': }", 2), ("config = (1,\n", 1), ("config =", 1)]
        {
            let error = parse(source, 0).unwrap_err();
            assert!(matches!(error, SyntaxError::Unexpected(at) if at == line), "{source:?}: {error}");
        }
        assert!(parse(&format!("config = {}", "[".repeat(100_000)), 0).is_err());
    }

    #[test]
    fn no_text_makes_it_panic() {
        let source = "config = dict(a='x', b=[1, {'c': -2}], **d(e)) # f\n'''g''' \\\n";
        for from in 0..source.len() {
            for to in from..=source.len() {
                drop(parse(&source[from..to], 0));
            }
        }
    }
}
