//! What is told from valid JSON text by looking at it, without taking it apart.

/// The length of the string token, quotes included, that `text` begins with.
#[must_use]
pub fn string_len(text: &str) -> usize {
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
#[must_use]
pub fn depth(text: &str) -> usize {
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
}
