//! Python's `str`: code points, lone surrogates included, which Rust's text cannot hold.

/// The code points of a JSON string token that is ASCII.
pub(super) fn decode(token: &str) -> Vec<u32> {
    let inner = token.strip_prefix('"').and_then(|token| token.strip_suffix('"')).unwrap_or(token);
    char::decode_utf16(units(inner))
        .map(|point| point.map_or_else(|lone| lone.unpaired_surrogate().into(), u32::from))
        .collect()
}

fn units(inner: &str) -> impl Iterator<Item = u16> {
    let mut bytes = inner.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        Some(match (byte, if byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'b')) => 0x08,
            (_, Some(b'f')) => 0x0c,
            (_, Some(b'n')) => 0x0a,
            (_, Some(b'r')) => 0x0d,
            (_, Some(b't')) => 0x09,
            (_, Some(b'u')) => bytes.by_ref().take(4).fold(0, |unit, digit| {
                unit << 4 | char::from(digit).to_digit(16).map_or(0, |digit| digit as u16)
            }),
            (_, Some(literal)) => literal.into(),
            (plain, None) => plain.into(),
        })
    })
}

/// The text itself; a lone surrogate, which no output can carry, as the replacement character.
pub(super) fn display(points: &[u32]) -> String {
    points.iter().map(|&point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Python's `repr`.
pub(super) fn repr(points: &[u32]) -> String {
    let has = |wanted: char| points.contains(&u32::from(wanted));
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(points.len() + 2);
    out.push(quote);
    for &point in points {
        match char::from_u32(point) {
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some(c) if c == quote || c == '\\' => out.extend(['\\', c]),
            Some(c) if is_printable(c) => out.push(c),
            _ => out.push_str(&match point {
                0..=0xff => format!("\\x{point:02x}"),
                0x100..=0xffff => format!("\\u{point:04x}"),
                _ => format!("\\U{point:08x}"),
            }),
        }
    }
    out.push(quote);
    out
}

/// Python's `str.isprintable`. The standard library's own `Debug` goes by the same categories of characters.
fn is_printable(c: char) -> bool {
    // At the beginning of a text, `Debug` escapes what would combine with the quote.
    matches!(c, '\'' | '"' | '\\') || !['a', c].iter().collect::<String>().escape_debug().any(|c| c == '\\')
}

/// Python's `str.splitlines(keepends=True)`.
pub(super) fn lines(points: &[u32]) -> Vec<&[u32]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (at, &point) in points.iter().enumerate() {
        let ends = match point {
            0x0d => points.get(at + 1) != Some(&0x0a),
            0x0a..=0x0c | 0x1c..=0x1e | 0x85 | 0x2028 | 0x2029 => true,
            _ => false,
        };
        if ends {
            lines.extend(points.get(start..=at));
            start = at + 1;
        }
    }
    lines.extend(points.get(start..).filter(|rest| !rest.is_empty()));
    lines
}

/// Python's `re.findall(r"\S*\s*", text)`: each word with the space behind it.
pub(super) fn words(points: &[u32]) -> Vec<&[u32]> {
    points.chunk_by(|&one, &next| !is_space(one) || is_space(next)).collect()
}

fn is_space(point: u32) -> bool {
    (0x1c..=0x1f).contains(&point) || char::from_u32(point).is_some_and(char::is_whitespace)
}
