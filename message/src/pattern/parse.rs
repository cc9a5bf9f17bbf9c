//! From the text of a pattern to its tokens.

use super::{Class, Token};

/// The tokens of a glob, as Python's `fnmatch.translate` cuts it.
pub(super) fn tokens(glob: &str) -> Box<[Token]> {
    if glob.is_empty() {
        return Box::new([Token::Star]);
    }
    let chars: Vec<char> = glob.chars().collect();
    let mut tokens = Tokens::default();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::Any),
            '[' => match class_end(&chars, at) {
                Some(end) => {
                    tokens.push_class(Class::new(&chars[at..end]));
                    at = end + 1;
                }
                None => tokens.push_char('['),
            },
            c => tokens.push_char(c),
        }
    }
    tokens.finish()
}

/// Where the `]` is that ends the class whose text begins at `start`. One that comes first belongs to the
/// class.
fn class_end(chars: &[char], start: usize) -> Option<usize> {
    let negation = usize::from(chars.get(start) == Some(&'!'));
    let first = start + negation;
    (first + 1..chars.len()).find(|&k| chars[k] == ']')
}

/// Tokens with neighbouring literals and stars made one.
#[derive(Default)]
struct Tokens {
    done: Vec<Token>,
    literal: String,
}

impl Tokens {
    fn push_char(&mut self, c: char) {
        self.literal.push(c);
    }

    fn push_class(&mut self, class: Class) {
        match class.single() {
            Some(c) => self.push_char(c),
            None if class.is_everything() => self.push(Token::Any),
            None => self.push(Token::One(class)),
        }
    }

    fn push(&mut self, token: Token) {
        self.end_literal();
        if token != Token::Star || self.done.last() != Some(&Token::Star) {
            self.done.push(token);
        }
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.done.push(Token::Literal(std::mem::take(&mut self.literal).into()));
        }
    }

    fn finish(mut self) -> Box<[Token]> {
        self.end_literal();
        self.done.into()
    }
}
