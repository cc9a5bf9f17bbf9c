//! The one scanner: accepts what `json.loads` accepts and tells a [`Sink`] where things are.

use std::ops::Range;

use thiserror::Error;

/// The most digits an integer may have. CPython has this limit since 3.11, against quadratic conversions.
const MAX_INTEGER_DIGITS: usize = 4300;

/// The most levels of nesting. CPython's recursion limit, which is all that bounds the depth there, is this by default; what is
/// already on its stack counts, so that in practice it reads some levels less.
pub(super) const MAX_DEPTH: usize = 1000;

/// Why a text is not what `json.loads` accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{problem} at byte {at}")]
pub struct Error {
    /// The offset of the byte where it was noticed.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Problem {
    #[error("expected a value")]
    ExpectedValue,
    #[error("expected a key in double quotes")]
    ExpectedKey,
    #[error("expected `:`")]
    ExpectedColon,
    #[error("expected `,` or the closing bracket")]
    ExpectedComma,
    #[error("unterminated string")]
    UnterminatedString,
    #[error("bare control character in a string")]
    ControlCharacter,
    #[error("invalid escape in a string")]
    InvalidEscape,
    #[error("integer of more than {MAX_INTEGER_DIGITS} digits")]
    HugeInteger,
    #[error("more than {MAX_DEPTH} levels of nesting")]
    TooDeep,
    #[error("text behind the end of the value")]
    TrailingText,
    #[error("the value is no object")]
    NotAnObject,
}

/// What sort of value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Float,
    /// `null`, `true`, `false`, `NaN`, `Infinity`, `-Infinity`.
    Word,
}

impl Kind {
    pub(super) fn is_container(self) -> bool {
        matches!(self, Kind::Object | Kind::Array)
    }
}

/// Hears what the scanner sees, in the order of the text. All places are byte offsets.
pub(super) trait Sink {
    /// A key with its quotes; its value follows.
    fn key(&mut self, token: Range<usize>);
    /// A value that is no container.
    fn scalar(&mut self, kind: Kind, token: Range<usize>);
    /// An object or array begins; what it holds follows, then its `close`.
    fn open(&mut self, kind: Kind, at: usize);
    /// The innermost open container ends just before `end`.
    fn close(&mut self, end: usize);
}

/// Scans the whole of `text`.
pub(super) fn scan(text: &str, sink: &mut impl Sink) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let mut open: Vec<Kind> = Vec::new();
    let mut at = skip_space(bytes, 0);
    loop {
        // A value begins here.
        match bytes.get(at) {
            Some(&bracket @ (b'{' | b'[')) => {
                let (kind, closing) =
                    if bracket == b'{' { (Kind::Object, b'}') } else { (Kind::Array, b']') };
                if open.len() == MAX_DEPTH {
                    return fail(at, Problem::TooDeep);
                }
                sink.open(kind, at);
                at = skip_space(bytes, at + 1);
                if bytes.get(at) == Some(&closing) {
                    at += 1;
                    sink.close(at);
                } else {
                    open.push(kind);
                    if kind == Kind::Object {
                        at = key(bytes, at, sink)?;
                    }
                    continue;
                }
            }
            _ => {
                let (kind, end) = scalar(bytes, at)?;
                sink.scalar(kind, at..end);
                at = end;
            }
        }
        // A value has ended: go on with the container around it, or end that one too.
        loop {
            at = skip_space(bytes, at);
            match (open.last(), bytes.get(at)) {
                (None, None) => return Ok(()),
                (None, Some(_)) => return fail(at, Problem::TrailingText),
                (Some(Kind::Object), Some(b',')) => {
                    at = key(bytes, skip_space(bytes, at + 1), sink)?;
                    break;
                }
                (Some(_), Some(b',')) => {
                    at = skip_space(bytes, at + 1);
                    break;
                }
                (Some(Kind::Object), Some(b'}')) | (Some(Kind::Array), Some(b']')) => {
                    open.pop();
                    at += 1;
                    sink.close(at);
                }
                (Some(_), _) => return fail(at, Problem::ExpectedComma),
            }
        }
    }
}

pub(super) fn fail<T>(at: usize, problem: Problem) -> Result<T, Error> {
    Err(Error { at, problem })
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// A key and its colon; gives where its value begins.
fn key(bytes: &[u8], at: usize, sink: &mut impl Sink) -> Result<usize, Error> {
    if bytes.get(at) != Some(&b'"') {
        return fail(at, Problem::ExpectedKey);
    }
    let end = string(bytes, at)?;
    sink.key(at..end);
    let colon = skip_space(bytes, end);
    if bytes.get(colon) != Some(&b':') {
        return fail(colon, Problem::ExpectedColon);
    }
    Ok(skip_space(bytes, colon + 1))
}

/// The kind and the end of the scalar that begins at `at`.
fn scalar(bytes: &[u8], at: usize) -> Result<(Kind, usize), Error> {
    let word = match bytes.get(at) {
        Some(b'"') => return Ok((Kind::String, string(bytes, at)?)),
        Some(b'n') => "null",
        Some(b't') => "true",
        Some(b'f') => "false",
        Some(b'N') => "NaN",
        Some(b'I') => "Infinity",
        Some(b'-') if bytes.get(at + 1) == Some(&b'I') => "-Infinity",
        Some(b'-' | b'0'..=b'9') => return number(bytes, at),
        _ => return fail(at, Problem::ExpectedValue),
    };
    if bytes[at..].starts_with(word.as_bytes()) {
        Ok((Kind::Word, at + word.len()))
    } else {
        fail(at, Problem::ExpectedValue)
    }
}

/// The end of the string whose opening quote is at `start`.
fn string(bytes: &[u8], start: usize) -> Result<usize, Error> {
    let mut at = start + 1;
    loop {
        at += plain_len(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') if is_hex4(bytes.get(at + 2..at + 6)) => at += 6,
                _ => return fail(at, Problem::InvalidEscape),
            },
            Some(_) => return fail(at, Problem::ControlCharacter),
            None => return fail(start, Problem::UnterminatedString),
        }
    }
}

fn is_hex4(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// How many bytes there are before the first one that means something inside a string: a quote, a backslash
/// or a control character. Most of a message is such bytes: the first few are looked at by eights, because most strings
/// are short, and then by 32, which compilers turn into vector instructions.
fn plain_len(bytes: &[u8]) -> usize {
    const SHORT: usize = 24;
    let (short, long) = bytes.split_at(bytes.len().min(SHORT));
    let len = plain_len_by_eights(short);
    if len < SHORT {
        return len;
    }
    let special = |&byte: &u8| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    let (blocks, _) = long.as_chunks::<32>();
    let plain = blocks.iter().take_while(|block| block.iter().fold(0, |any, byte| any | special(byte)) == 0);
    let passed = plain.count() * 32;
    len + passed + plain_len_by_eights(&long[passed..])
}

fn plain_len_by_eights(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    // The high bit of every byte that is below `limit`, and perhaps of bytes above the first such one.
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word & (EACH * 0x80);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (n, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let quote = below(word ^ (EACH * u64::from(b'"')), 1);
        let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
        let special = quote | backslash | below(word, 0x20);
        if special != 0 {
            return n * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    bytes.len() - rest.len() + rest.iter().position(special).unwrap_or(rest.len())
}

/// The kind and the end of the number that begins at `start`. Like Python's, it ends before a point or an
/// exponent that lacks its digits.
fn number(bytes: &[u8], start: usize) -> Result<(Kind, usize), Error> {
    let first = start + usize::from(bytes.get(start) == Some(&b'-'));
    let end = match bytes.get(first) {
        Some(b'0') => first + 1,
        Some(b'1'..=b'9') => skip_digits(bytes, first),
        _ => return fail(start, Problem::ExpectedValue),
    };
    let fraction = match bytes.get(end) {
        Some(b'.') => at_least_one_digit(bytes, end + 1).unwrap_or(end),
        _ => end,
    };
    let exponent = match (bytes.get(fraction), bytes.get(fraction + 1)) {
        (Some(b'e' | b'E'), Some(b'+' | b'-')) => at_least_one_digit(bytes, fraction + 2).unwrap_or(fraction),
        (Some(b'e' | b'E'), _) => at_least_one_digit(bytes, fraction + 1).unwrap_or(fraction),
        _ => fraction,
    };
    if exponent > end {
        Ok((Kind::Float, exponent))
    } else if end - first > MAX_INTEGER_DIGITS {
        fail(start, Problem::HugeInteger)
    } else {
        Ok((Kind::Integer, end))
    }
}

fn skip_digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn at_least_one_digit(bytes: &[u8], at: usize) -> Option<usize> {
    Some(skip_digits(bytes, at)).filter(|&end| end > at)
}
