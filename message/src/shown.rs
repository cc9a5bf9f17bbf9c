//! Text that others have written, as it may be shown to people: nothing in it controls a terminal or turns a line round.
//!
//! What is escaped is escaped as in JSON, so that in JSON text it goes on to say the same.

use std::borrow::Cow;

/// Whether a character does something to a terminal, or to the order in which people read: control characters, Unicode's
/// ends of lines and paragraphs, and what embeds, overrides or isolates a direction of writing.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// The text on its own lines: `\n` and tabs stay.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, is_harmful: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_harmful(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_controls_the_terminal_or_turns_the_line_round() {
        assert_eq!(printable("é \\ \u{1f600}"), "é \\ \u{1f600}");
        assert_eq!(printable("\u{1b}[2J\r\n\t\u{9b}x"), r"\u001b[2J\r\n\t\u009bx");
        assert_eq!(printable("\u{202e}a\u{2066}b\u{2029}"), r"\u202ea\u2066b\u2029");
    }

    #[test]
    fn lines_may_stay_lines() {
        assert_eq!(printable_lines("a\n\tb\r\u{7f}\u{202a}"), "a\n\tb\\r\\u007f\\u202a");
    }
}
