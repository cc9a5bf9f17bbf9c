//! The colours of mIRC, and which of them a line has.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A colour by the name that Python's `fedmsg/consumers/ircbot.py` gives it; its number is mIRC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are their names")]
pub(crate) enum Colour {
    White,
    Black,
    Blue,
    Green,
    Red,
    Brown,
    Purple,
    Orange,
    Yellow,
    #[serde(rename = "light green")]
    LightGreen,
    Teal,
    #[serde(rename = "light cyan")]
    LightCyan,
    #[serde(rename = "light blue")]
    LightBlue,
    Pink,
    Grey,
    #[serde(rename = "light grey")]
    LightGrey,
}

impl Colour {
    /// Marks the text up. A digit or a comma at its beginning would be read as part of the colour's number: bold on
    /// and off, which nobody sees, keeps them apart.
    pub(crate) fn paint(self, text: &str) -> String {
        let apart = if text.starts_with(|c: char| c.is_ascii_digit() || c == ',') { "\x02\x02" } else { "" };
        format!("\x03{}{apart}{text}\x03", self as u8)
    }
}

/// Which colour a title has, by its first word.
#[derive(Debug, Clone)]
pub(crate) struct Palette {
    pub(crate) by_category: BTreeMap<String, Colour>,
    pub(crate) default: Colour,
}

impl Palette {
    /// The colour of titles of this category.
    pub(crate) fn of(&self, category: &str) -> Colour {
        self.by_category.get(category).copied().unwrap_or(self.default)
    }
}
