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
    /// A string that only a running Python can say: an f-string, or bytes.
    OpaqueText,
    /// A bracket, comma, or any other sign; of two characters only where it matters.
    Sign,
    /// The end of a statement.
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
                    self.indented |= self.fresh && c != '\u{feff}' && c != '\r';
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
            () => Kind::Text(unescaped(inner)),
        };
        self.push(kind, prefix.len() + 2 * quote.len() + end);
        self.line += inner.matches('\n').count();
        Ok(())
    }
}

/// What the inside of a string literal says.
fn unescaped(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let before = chars.clone();
        let simple = match chars.next() {
            Some('\n') => continue,
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('0') => Some('\0'),
            Some(c @ ('\\' | '\'' | '"')) => Some(c),
            Some('x') => coded(&mut chars, 2),
            Some('u') => coded(&mut chars, 4),
            Some('U') => coded(&mut chars, 8),
            _ => None,
        };
        match simple {
            Some(c) => out.push(c),
            // Python, too, leaves what it does not know.
            None => {
                out.push('\\');
                chars = before;
            }
        }
    }
    out
}

fn coded(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code = chars.as_str().get(..digits)?;
    let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
    *chars = chars.as_str().get(digits..)?.chars();
    Some(c)
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
        assert_eq!(tokens("x = f'a'").unwrap()[2].kind, Kind::OpaqueText);
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
