//! One line for a channel: what it says, and how it looks.
//!
//! What comes from a message is cleansed when the line is made: no byte of it ends the line, is a command, or formats.

use std::borrow::Cow;

use crate::colour::{Colour, Palette};
use crate::raw::Raw;

/// As much of a text is kept; no line shows more.
const LONGEST_TEXT: usize = 512;
/// A longer link is no link that a line could show. It may be longer than a line, for it may be shortened.
const LONGEST_LINK: usize = 2048;

/// What waits to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The service that the message is of, to count by and to colour by.
    pub(crate) category: String,
    pub(crate) text: Text,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Natural language.
    Terse { title: String, subtitle: String, link: Option<String> },
    /// The message itself, with its other form, if it has one.
    Raw { plain: String, pretty: Option<String> },
    /// Anything else, said as it is.
    Plain(String),
}

impl Line {
    /// A line of natural language.
    pub(crate) fn terse(title: &str, subtitle: &str, link: Option<&str>) -> Self {
        let title = cleansed(title, LONGEST_TEXT);
        let link = link.filter(|link| !link.is_empty() && link.len() <= LONGEST_LINK);
        Self {
            category: first_word(&title),
            text: Text::Terse {
                title,
                subtitle: cleansed(subtitle, LONGEST_TEXT),
                link: link.map(|link| cleansed(link, LONGEST_LINK)),
            },
        }
    }

    /// The message itself, in the columns of the Python fedmsg.
    pub(crate) fn raw(topic: &str, category: &str, message: &Raw) -> Self {
        let topic = cleansed(topic, LONGEST_TEXT);
        let line = |message: &String| format!("{topic:<30} {}", cleansed(message, LONGEST_TEXT));
        let text = Text::Raw { plain: line(&message.plain), pretty: message.pretty.as_ref().map(line) };
        Self { category: cleansed(category, LONGEST_TEXT), text }
    }

    /// What the bot says of itself.
    pub(crate) fn own(text: String) -> Self {
        Self { category: String::new(), text: Text::Plain(text) }
    }

    /// Its size in memory, about, in bytes.
    pub(crate) fn size(&self) -> usize {
        let text = match &self.text {
            Text::Terse { title, subtitle, link } => {
                title.len() + subtitle.len() + link.as_ref().map_or(0, String::len)
            }
            Text::Raw { plain, pretty } => plain.len() + pretty.as_ref().map_or(0, String::len),
            Text::Plain(text) => text.len(),
        };
        size_of::<Self>() + self.category.len() + text
    }

    /// The line as it is sent. The form is that of Python's `ircprettify` and, without colours, of its `msg2repr`.
    pub(crate) fn render(&self, palette: Option<&Palette>) -> String {
        match &self.text {
            Text::Plain(text) => text.clone(),
            Text::Raw { plain, pretty } => {
                pretty.as_ref().filter(|_| palette.is_some()).unwrap_or(plain).clone()
            }
            Text::Terse { title, subtitle, link } => {
                let link = link.as_deref().unwrap_or_default();
                match palette {
                    Some(palette) => {
                        let link = if link.is_empty() { String::new() } else { Colour::Teal.paint(link) };
                        format!("{} -- {subtitle} {link}", palette.of(&self.category).paint(title))
                    }
                    None => format!("{title} -- {subtitle} {link}"),
                }
            }
        }
    }
}

fn first_word(title: &str) -> String {
    title.split('.').next().unwrap_or_default().to_owned()
}

/// The text with a space for each control character (line ends, NUL, CTCP's mark, all formatting) and each mark that turns
/// the line round, cut to so many bytes.
pub(crate) fn cleansed(text: &str, limit: usize) -> String {
    head(text, limit).chars().map(|c| if meta::steers(c) { ' ' } else { c }).collect()
}

/// The text if it has no more than `limit` bytes, else as much of it as goes with an ellipsis. Characters stay whole.
pub(crate) fn fitted(text: &str, limit: usize) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}{ELLIPSIS}", head(text, limit.saturating_sub(ELLIPSIS.len()))))
}

/// As many whole characters as go into so many bytes.
fn head(text: &str, limit: usize) -> &str {
    (0..=limit.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette() -> Palette {
        Palette { by_category: [("git".to_owned(), Colour::Red)].into(), default: Colour::LightGrey }
    }

    fn both(message: &str) -> Raw {
        Raw { plain: message.to_owned(), pretty: Some(message.to_owned()) }
    }

    #[test]
    fn a_raw_line_is_pretty_where_colours_are_wanted() {
        let both = Raw { plain: "{}".to_owned(), pretty: Some("b'{}'".to_owned()) };
        let line = Line::raw("t", "", &both);
        assert!(line.render(None).ends_with(" {}") && line.render(Some(&palette())).ends_with(" b'{}'"));
        let plain = Line::raw("t", "", &Raw { pretty: None, ..both });
        assert_eq!(plain.render(Some(&palette())), line.render(None));
    }

    #[test]
    fn a_terse_line_is_coloured_by_its_category() {
        let line = Line::terse("git.receive", "ralph pushed", Some("http://x.org/"));
        assert_eq!(
            line.render(Some(&palette())),
            "\x034git.receive\x03 -- ralph pushed \x0310http://x.org/\x03"
        );
        assert_eq!(line.render(None), "git.receive -- ralph pushed http://x.org/");
        let line = Line::terse("wiki.edit", "", None);
        assert_eq!(line.render(Some(&palette())), "\x0315wiki.edit\x03 --  ");
    }

    #[test]
    fn a_title_cannot_change_its_colour() {
        for title in ["5", ",5"] {
            let said = Line::terse(title, "", None).render(Some(&palette()));
            assert_eq!(said, format!("\x0315\x02\x02{title}\x03 --  "));
        }
    }

    #[test]
    fn nothing_in_a_message_ends_formats_or_turns_round_the_line() {
        let evil = "a\r\nQUIT\0\x01ACTION\x01\x02\x034,5\x0f\x1f\u{85}\u{7f}\u{202e}\u{2066}z";
        let line = Line::terse(evil, evil, Some(evil));
        let raw = Line::raw(evil, evil, &both(evil));
        for said in [line.render(None), raw.render(None), raw.render(Some(&palette())), raw.category] {
            assert!(!said.chars().any(meta::steers), "{said:?}");
            assert!(said.contains("QUIT") && said.contains("4,5") && said.contains('z'), "{said:?}");
        }
    }

    #[test]
    fn the_topic_has_a_column_of_thirty() {
        let line = Line::raw("short", "", &both("{}"));
        assert_eq!(line.render(None), format!("short{} {{}}", " ".repeat(25)));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(fitted("žžž", 6), "žžž");
        assert_eq!(fitted("žžžž", 7), "žž…");
        assert_eq!(fitted("žžžž", 6), "ž…");
        for limit in 3..12 {
            let cut = fitted("a𝕏b𝕏c𝕏", limit);
            assert!(cut.len() <= limit && cut.ends_with('…'), "{cut}");
        }
        assert_eq!(cleansed("žž", 3), "ž");
    }

    #[test]
    fn a_large_message_makes_a_small_line() {
        let large = "ž".repeat(1_000_000);
        assert!(Line::terse(&large, &large, Some(&large)).size() < 2500);
        assert!(Line::raw(&large, &large, &both(&large)).size() < 4000);
    }
}
