//! Python source text as tokens. Own, because what is kept of Python parsers in Rust is either heavy or bound to newer
//! compilers than ours, and literals need little.

/// A piece of Python.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: &'s str,
    /// The line it begins in, counted from 1.
    pub(super) line: usize,
    /// The first in an indented line.
    pub(super) indented: bool,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string literal, and what it says.
    Text(String),
    /// A string that only a running Python can say: an f-string, bytes, or one with an escape that is not read here.
    OpaqueText,
    /// A bracket, comma, or any other sign; of two characters only where it matters.
    Sign,
    /// The end of a statement: `;`, or a line's.
    End,
}

/// A string that doesn't end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unterminated {
    /// Where it begins.
    pub(super) line: usize,
}

/// The tokens of a file.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Unterminated> {
    let mut lexer = Lexer { source, at: 0, line: 1, depth: 0, fresh: true, indented: false, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    /// Open brackets, in which line ends mean nothing.
    depth: usize,
    /// Nothing has been seen of the line yet.
    fresh: bool,
    indented: bool,
    out: Vec<Token<'s>>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn run(&mut self) -> Result<(), Unterminated> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' => {
                    if self.depth == 0 {
                        self.push(Kind::End, 1);
                        (self.fresh, self.indented) = (true, false);
                    } else {
                        self.at += 1;
                    }
                    self.line += 1;
                }
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                '\\' => {
                    let end = self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
                    self.at += end;
                    self.line += 1;
                }
                c if c.is_whitespace() || c == '\u{feff}' => {
                    self.indented |= self.fresh && matches!(c, ' ' | '\t');
                    self.at += c.len_utf8();
                }
                _ => self.token(c)?,
            }
        }
        self.push(Kind::End, 0);
        Ok(())
    }

    fn token(&mut self, c: char) -> Result<(), Unterminated> {
        if let Some(prefix) = self.string_prefix() {
            return self.string(prefix);
        }
        let len_of = |is: fn(char) -> bool| self.rest().find(|c| !is(c)).unwrap_or(self.rest().len());
        match c {
            'a'..='z' | 'A'..='Z' | '_' => self.push(Kind::Name, len_of(|c| c.is_alphanumeric() || c == '_')),
            '0'..='9' => {
                self.push(Kind::Number, len_of(|c| c.is_alphanumeric() || c == '.' || c == '_'));
            }
            ';' => self.push(Kind::End, 1),
            _ => {
                match c {
                    '(' | '[' | '{' => self.depth += 1,
                    ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                let doubled = ["**", "==", "+=", "|="].iter().any(|sign| self.rest().starts_with(sign));
                self.push(Kind::Sign, if doubled { 2 } else { c.len_utf8() });
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, len: usize) {
        let text = self.rest().get(..len).unwrap_or_default();
        let indented = self.fresh && self.indented;
        self.fresh = false;
        self.out.push(Token { kind, text, line: self.line, indented });
        self.at += len;
    }

    /// The letters before a string's quote, if a string begins here.
    fn string_prefix(&self) -> Option<&'s str> {
        let len = self.rest().bytes().take(3).position(|byte| matches!(byte, b'"' | b'\''))?;
        let prefix = self.rest().get(..len)?;
        prefix.chars().all(|c| "rRbBuUfF".contains(c)).then_some(prefix)
    }

    fn string(&mut self, prefix: &str) -> Result<(), Unterminated> {
        let unterminated = Unterminated { line: self.line };
        let quoted = self.rest().get(prefix.len()..).unwrap_or_default();
        let quote = quoted.get(..1).unwrap_or_default();
        let triple = quote.repeat(3);
        let quote = if quoted.starts_with(&triple) { triple.as_str() } else { quote };
        let inner = quoted.get(quote.len()..).unwrap_or_default();
        let mut end = 0;
        loop {
            let rest = inner.get(end..).unwrap_or_default();
            match rest.chars().next() {
                _ if rest.starts_with(quote) => break,
                None => return Err(unterminated),
                Some('\n') if quote.len() == 1 => return Err(unterminated),
                Some('\\') => end += 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
                Some(c) => end += c.len_utf8(),
            }
        }
        let inner = inner.get(..end).unwrap_or_default();
        let has = |letters: &str| prefix.contains(|c| letters.contains(c));
        let kind = match () {
            () if has("bBfF") => Kind::OpaqueText,
            () if has("rR") => Kind::Text(inner.to_owned()),
            () => unescaped(inner).map_or(Kind::OpaqueText, Kind::Text),
        };
        self.push(kind, prefix.len() + 2 * quote.len() + end);
        self.line += inner.matches('\n').count();
        Ok(())
    }
}

/// What the inside of a string literal says; `None` if that takes a table of names, or no Rust text can say it.
fn unescaped(inner: &str) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let kind = escape.chars().next()?;
        rest = escape.get(kind.len_utf8()..)?;
        let said = match kind {
            '\n' => continue,
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '\'' | '"' => kind,
            'x' => coded(&mut rest, 2)?,
            'u' => coded(&mut rest, 4)?,
            'U' => coded(&mut rest, 8)?,
            '0'..='7' => {
                let len = escape.bytes().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
                rest = escape.get(len..)?;
                char::from_u32(u32::from_str_radix(escape.get(..len)?, 8).ok()?)?
            }
            'N' => return None,
            // Python, too, leaves what it does not know.
            _ => {
                out.push('\\');
                kind
            }
        };
        out.push(said);
    }
    out.push_str(rest);
    Some(out)
}

/// The character with the code that so many digits give.
fn coded(rest: &mut &str, digits: usize) -> Option<char> {
    let code = rest.get(..digits).filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    *rest = rest.get(digits..)?;
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let tokens = tokens(source).unwrap().into_iter();
        tokens.filter_map(|token| if let Kind::Text(text) = token.kind { Some(text) } else { None }).collect()
    }

    #[test]
    fn strings_are_read_as_python_reads_them() {
        assert_eq!(texts(r#" 'a"b' "a'b" u'u' r'\n\'' '' "#), ["a\"b", "a'b", "u", "\\n\\'", ""]);
        assert_eq!(texts("'''a\n'b'''\"\"\"\"\"\""), ["a\n'b", ""]);
        assert_eq!(
            texts(
                r"'\x41\u010d\U0001F600\n\\ \d \'' 'a\
b'"
            ),
            ["Ač😀\n\\ \\d '", "ab"]
        );
        assert_eq!(texts(r"'\060770\7\1018' '\a\b\f\v'"), ["0770\x07A8", "\x07\x08\x0c\x0b"]);
    }

    #[test]
    fn strings_that_only_python_can_read_are_not_guessed_at() {
        for source in ["f'a'", "b'a'", r"'\N{DASH}'", r"'\x4'", r"'\x+4'", r"'\u12'", r"'\ud800'"] {
            assert_eq!(tokens(source).unwrap()[0].kind, Kind::OpaqueText, "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_strings_and_continuations() {
        let source = "'''\n\n''' \\\n x # c\n(\n\n) y\n";
        let lines = tokens(source).unwrap();
        let line = |text: &str| lines.iter().find(|token| token.text == text).unwrap().line;
        assert_eq!((line("x"), line(")"), line("y")), (4, 7, 7));
    }

    #[test]
    fn a_string_without_an_end_is_named() {
        assert_eq!(tokens("\n'a\n'").unwrap_err().line, 2);
        assert_eq!(tokens("'''a''").unwrap_err().line, 1);
    }
}
