//! JSON in colours.

use anstyle::{AnsiColor, Style};

use message::json::string_len;

const KEY: Style = AnsiColor::Blue.on_default().bold();
const STRING: Style = AnsiColor::Green.on_default();
const NUMBER: Style = AnsiColor::Cyan.on_default();
const WORD: Style = AnsiColor::Magenta.on_default();

/// The same text with its tokens coloured.
pub(crate) fn paint(json: &str) -> String {
    let is_token = |c: char| c == '"' || is_bare(c);
    let mut out = String::with_capacity(json.len() * 2);
    let mut rest = json;
    while let Some(at) = rest.find(is_token) {
        let (between, token) = rest.split_at(at);
        out.push_str(between);
        let len = match token.starts_with('"') {
            true => string_len(token),
            false => token.find(|c| !is_bare(c)).unwrap_or(token.len()),
        };
        let (token, behind) = token.split_at(len);
        let style = match token.as_bytes().first() {
            Some(b'"') if behind.starts_with(':') => KEY,
            Some(b'"') => STRING,
            Some(b'-' | b'0'..=b'9') => NUMBER,
            _ => WORD,
        };
        out.push_str(&format!("{style}{token}{style:#}"));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Whether a number or a word may have the character.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_coloured_and_nothing_else_is_changed() {
        let json = "{\n  \"a\\\": 1\": [\n    \"x: y\",\n    -1.5e+22,\n    null\n  ]\n}";
        let painted = paint(json);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), json);
        for (style, token) in
            [(KEY, r#""a\": 1""#), (STRING, r#""x: y""#), (NUMBER, "-1.5e+22"), (WORD, "null")]
        {
            assert!(painted.contains(&format!("{style}{token}{style:#}")), "{token} in {painted:?}");
        }
    }
}
