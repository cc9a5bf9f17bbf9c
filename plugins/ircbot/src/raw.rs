//! The message itself, as the Python bot shows it without `make_terse`: Python's `str` of it, or with `make_pretty` JSON
//! in the colours of a terminal.

use jiff::tz::TimeZone;
use meta::python::{CREDENTIALS, LoadError, Value, dressed, pretty_dumps, string_len};

/// A message in both forms.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) plain: String,
    /// If it is asked for.
    pub(crate) pretty: Option<String>,
}

impl Raw {
    /// The body without `topic`, which its line has anyway, and with the time in words. The Python bot also shows
    /// signature and certificate; they come first in a body that is signed, and would be all that the line has room for.
    pub(crate) fn new(body: &[u8], wants_pretty: bool, zone: &TimeZone) -> Self {
        let body = String::from_utf8_lossy(body);
        // What is nested too deep for Python, too, is shown as it came.
        Self::of(&body, wants_pretty, zone)
            .unwrap_or_else(|_| Self { plain: body.into_owned(), pretty: None })
    }

    fn of(body: &str, wants_pretty: bool, zone: &TimeZone) -> Result<Self, LoadError> {
        let [signature, certificate] = CREDENTIALS;
        let message = dressed(body, &["topic", signature, certificate], Some(zone))?;
        let plain = Value::load(&message)?.repr();
        let json = wants_pretty.then(|| pretty_dumps(&message)).transpose()?;
        Ok(Self { plain, pretty: json.map(|json| repr_of_bytes(&coloured(&json))) })
    }
}

const STRING: &str = "\x1b[33m";
/// Of `true`, `null` and their like, too.
const NUMBER: &str = "\x1b[34m";
const SPACE: &str = "\x1b[37m";
/// Ends a colour.
const END: &str = "\x1b[39;49;00m";

/// Indented JSON as pygments' `TerminalFormatter` shows what its `JavascriptLexer` finds. Space has a colour, too, each
/// line of it by itself, and there is a line's end at the end, of which Python's `strip` leaves the colours.
fn coloured(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 4);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let (len, colour) = match first {
            '"' => (string_len(rest), STRING),
            ' ' => (rest.find(|c| c != ' ').unwrap_or(rest.len()), SPACE),
            c if c.is_ascii_alphanumeric() => (rest.find([',', '\n']).unwrap_or(rest.len()), NUMBER),
            '\n' => {
                out.extend([SPACE, END]);
                (1, "")
            }
            c => (c.len_utf8(), ""),
        };
        let (token, behind) = rest.split_at(len);
        out.extend([colour, token, if colour.is_empty() { "" } else { END }]);
        rest = behind;
    }
    out.extend([SPACE, END]);
    out
}

/// What Python 3 makes of the bytes when it puts them into the line: `b'…'`, in which no colour is one any more. The
/// text is ASCII, and has double quotes if it has single ones.
fn repr_of_bytes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 3);
    out.push_str("b'");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\'' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_nobody_can_print_is_shown_as_it_came() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(900), "]".repeat(900));
        let Raw { plain, pretty } = Raw::new(deep.as_bytes(), true, &TimeZone::UTC);
        assert_eq!((plain, pretty), (deep, None));
    }

    #[test]
    fn credentials_are_left_out() {
        let body = br#"{"certificate":"x","i":1,"signature":"y","timestamp":0.5,"topic":"t"}"#;
        let Raw { plain, pretty } = Raw::new(body, true, &TimeZone::UTC);
        assert_eq!(plain, "{'i': 1, 'timestamp': 'Thu Jan  1 00:00:00 1970'}");
        assert!(
            pretty.unwrap().starts_with(r#"b'{\x1b[37m\x1b[39;49;00m\n\x1b[37m  \x1b[39;49;00m\x1b[33m"i""#)
        );
    }
}
