//! What is told from valid JSON text by looking at it, without taking it apart.

use message::json;

/// The length of the string token, quotes included, that `text` begins with.
pub(crate) fn string_len(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// How many containers are open at once at most.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '[', '}', ']']) {
        rest = rest.get(at..).unwrap_or_default();
        let len = match rest.as_bytes().first() {
            Some(b'"') => string_len(rest),
            Some(b'{' | b'[') => {
                depth += 1;
                most = most.max(depth);
                1
            }
            _ => {
                depth = depth.saturating_sub(1);
                1
            }
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    most
}

/// The object without `signature` and `certificate`, as Python's `fedmsg.crypto.strip_credentials` leaves it.
pub(crate) fn without_credentials(object: &str) -> Result<String, json::Error> {
    let mut kept = String::with_capacity(object.len());
    json::members(object, |key, value| {
        if !matches!(json::decode(key).as_deref(), Some("signature" | "certificate")) {
            kept.push(if kept.is_empty() { '{' } else { ',' });
            kept.extend([key, ":", value]);
        }
    })?;
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_closing_quote() {
        assert_eq!(string_len(r#""a\"b\\": 1"#), 8);
        assert_eq!(string_len(r#""""#), 2);
    }

    #[test]
    fn depth_counts_containers_and_not_brackets_in_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"{"a":[[],{}],"b":"[[[[\"[[["}"#), 3);
    }

    #[test]
    fn credentials_are_left_out_on_the_first_level_only() {
        let message = r#"{"signature":"x","msg":{"certificate":1},"certifi\u0063ate":"y","i":1}"#;
        assert_eq!(without_credentials(message).unwrap(), r#"{"msg":{"certificate":1},"i":1}"#);
        assert_eq!(without_credentials(r#"{"signature":{}}"#).unwrap(), "{}");
    }
}
