//! Base64 as Python decodes it and as fedmsg writes it.

/// What fedmsg breaks the lines of signatures and certificates at, as M2Crypto did.
const LINE: usize = 76;

/// Python's `base64.b64decode(text)`: characters of no meaning are passed over, and what follows the padding is
/// ignored. `None` where it raises: for text that is not ASCII, a padding that is missing, a single character too
/// many.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    // Of the present group of four characters: how many there were, and their bits.
    let (mut seen, mut bits) = (0, 0_u32);
    let mut padding = 0;
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if seen >= 2 => {
                padding += 1;
                if seen + padding >= 4 {
                    return Some(bytes);
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        bits = bits << 6 | u32::from(value);
        seen = (seen + 1) % 4;
        // Each character but the first of its group completes a byte.
        match seen {
            2 => bytes.push((bits >> 4) as u8),
            3 => bytes.push((bits >> 2) as u8),
            0 => bytes.push(bits as u8),
            _ => {}
        }
    }
    (seen == 0).then_some(bytes)
}

/// In lines of 76 characters, the last one ended, too.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let text = openssl::base64::encode_block(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_characters_are_passed_over_and_padding_ends_the_text() {
        for (text, expected) in [
            ("", Some("")),
            ("aGk=", Some("hi")),
            (" a*G\nk = ", Some("hi")),
            ("aGk=aGk=", Some("hi")),
            ("aA==", Some("h")),
            ("=aGk=", Some("hi")),
            ("a=Gk=", Some("hi")),
            ("aGkh", Some("hi!")),
            ("aG=k", None),
            ("aGk", None),
            ("aA=", None),
            ("a", None),
            ("a===", None),
            ("aGké=", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn lines_are_broken_and_each_is_ended() {
        assert_eq!(encode(b""), "\n");
        assert_eq!(encode(b"hi"), "aGk=\n");
        assert_eq!(encode(&[0; 57]), "A".repeat(76) + "\n");
        assert_eq!(encode(&[0; 60]), "A".repeat(76) + "\nAAAA\n");
    }
}
