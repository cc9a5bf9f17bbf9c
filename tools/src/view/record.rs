//! A message on a line of JSON, with what its body does not say; the keys are those of `fedmsg-hub journal export`.

use jiff::Timestamp;
use serde_json::value::RawValue;

/// The line.
pub(super) fn record(received: Timestamp, endpoint: &str, topic: &str, body: &str) -> String {
    let [endpoint, topic] = [endpoint, topic].map(quoted);
    let body = match is_one_line_of_json(body) {
        true => format!("\"body\":{body}"),
        false => format!("\"body_text\":{}", quoted(body)),
    };
    format!("{{\"received\":\"{received}\",\"endpoint\":{endpoint},\"topic\":{topic},{body}}}")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_one_line_of_json(text: &str) -> bool {
    !text.contains(['\n', '\r']) && serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_stays_as_it_is_where_a_line_of_json_can_have_it() {
        let record = |body| record(Timestamp::UNIX_EPOCH, "a\"b", "t", body);
        let head = r#"{"received":"1970-01-01T00:00:00Z","endpoint":"a\"b","topic":"t","#;
        assert_eq!(record(r#"{"n": 1.50}"#), format!(r#"{head}"body":{{"n": 1.50}}}}"#));
        assert_eq!(record(r#"{"n":NaN}"#), format!(r#"{head}"body_text":"{{\"n\":NaN}}"}}"#));
        assert_eq!(record("{\n}"), format!(r#"{head}"body_text":"{{\n}}"}}"#));
    }
}
