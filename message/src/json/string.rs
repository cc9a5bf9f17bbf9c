//! Strings: from a token to its characters and back, lone surrogates included.

use std::borrow::Cow;

/// The text of a string token (with its quotes, as the scanner accepts it), or `None` if it is no string or
/// has a lone surrogate, which no Rust text can hold.
#[must_use]
pub fn decode(token: &str) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        let (point, behind) = escape(escaped)?;
        text.push_str(plain);
        text.push(char::from_u32(point)?);
        rest = behind;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// What orders keys as Python does, by code point: the characters as UTF-8, extended to lone surrogates.
pub(super) fn sort_key(token: &str) -> Cow<'_, [u8]> {
    let inner = inner(token);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner.as_bytes());
    }
    let mut key = Vec::with_capacity(inner.len());
    for point in code_points(inner) {
        match char::from_u32(point) {
            Some(c) => key.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => key.extend([
                0xE0 | bits(point, 12),
                0x80 | bits(point, 6) & 0x3F,
                0x80 | bits(point, 0) & 0x3F,
            ]),
        }
    }
    Cow::Owned(key)
}

fn bits(point: u32, shift: u32) -> u8 {
    (point >> shift & 0xFF) as u8
}

/// Writes the string of a token anew.
pub(super) fn write_token(out: &mut Vec<u8>, token: &str) {
    if inner(token).bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') {
        // Written as Python would, which is what most strings are.
        out.extend_from_slice(token.as_bytes());
        return;
    }
    out.push(b'"');
    for point in code_points(inner(token)) {
        write_point(out, point);
    }
    out.push(b'"');
}

/// Writes a text as a string.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        write_point(out, u32::from(c));
    }
    out.push(b'"');
}

fn inner(token: &str) -> &str {
    token.get(1..token.len() - 1).unwrap_or_default()
}

/// The code points of what stands between the quotes, each pair of surrogates made one.
fn code_points(inner: &str) -> impl Iterator<Item = u32> {
    let mut rest = inner.chars();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        if c != '\\' {
            return Some(u32::from(c));
        }
        let (point, behind) = escape(rest.as_str())?;
        rest = behind.chars();
        Some(point)
    })
}

/// The code point of the escape that `text` is, its backslash gone, and what stands behind it.
fn escape(text: &str) -> Option<(u32, &str)> {
    let mut rest = text.chars();
    let point = match rest.next()? {
        'b' => 0x08,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'u' => return unicode_escape(rest.as_str()),
        literal => u32::from(literal),
    };
    Some((point, rest.as_str()))
}

/// Two escapes that are a pair of surrogates count as one.
fn unicode_escape(digits: &str) -> Option<(u32, &str)> {
    let (unit, behind) = hex4(digits)?;
    Some(match (unit, behind.strip_prefix("\\u").and_then(hex4)) {
        (0xD800..=0xDBFF, Some((low @ 0xDC00..=0xDFFF, behind))) => {
            (0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)), behind)
        }
        _ => (unit, behind),
    })
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, behind) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, behind))
}

/// One code point in ASCII, as `ensure_ascii` does.
fn write_point(out: &mut Vec<u8>, point: u32) {
    match point {
        0x22 => out.extend(br#"\""#),
        0x5C => out.extend(br"\\"),
        0x20..=0x7E => out.push(bits(point, 0)),
        0x08 => out.extend(br"\b"),
        0x09 => out.extend(br"\t"),
        0x0A => out.extend(br"\n"),
        0x0C => out.extend(br"\f"),
        0x0D => out.extend(br"\r"),
        0..=0xFFFF => write_unit(out, point),
        _ => {
            let above = point - 0x10000;
            write_unit(out, 0xD800 | above >> 10);
            write_unit(out, 0xDC00 | above & 0x3FF);
        }
    }
}

fn write_unit(out: &mut Vec<u8>, unit: u32) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend(br"\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[(unit >> shift & 0xF) as usize]));
}
