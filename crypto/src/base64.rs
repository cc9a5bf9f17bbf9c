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
    let mut rest = text.as_bytes();
    while let Some((&character, behind)) = rest.split_first() {
        if let ([a, b, c, d, behind @ ..], 0) = (rest, seen)
            && let Some(group) = group([a, b, c, d])
        {
            // Most are like that.
            bytes.extend_from_slice(&group);
            padding = 0;
            rest = behind;
            continue;
        }
        rest = behind;
        if character == b'=' && seen >= 2 {
            padding += 1;
            if seen + padding >= 4 {
                return Some(bytes);
            }
        }
        let value = VALUES[usize::from(character)];
        if value == NONE {
            continue;
        }
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

/// The bytes that four characters of the alphabet stand for.
fn group(characters: [&u8; 4]) -> Option<[u8; 3]> {
    let values = characters.map(|character| VALUES[usize::from(*character)]);
    let bits = values.iter().fold(0, |bits, value| bits << 6 | u32::from(*value));
    let [_, bytes @ ..] = bits.to_be_bytes();
    (values.iter().all(|value| *value != NONE)).then_some(bytes)
}

const NONE: u8 = 0xFF;

/// What each character stands for.
const VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < alphabet.len() {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
};

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
