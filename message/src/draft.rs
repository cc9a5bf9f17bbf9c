//! A new message, before it is on the bus.

use std::fmt::Display;

use crate::{Topic, json};

/// What a new body consists of. Clock, random numbers, user and counter are the caller's.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'d> {
    /// How many messages this process has sent, this one included.
    pub i: u64,
    /// What is said, as JSON text.
    pub msg: &'d str,
    /// See [`msg_id`].
    pub msg_id: &'d str,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// The whole topic, as in the topic frame.
    pub topic: &'d Topic,
    /// The user whose process sends it.
    pub username: &'d str,
}

/// The id of a message: the local year and a version 4 UUID.
#[must_use]
pub fn msg_id(year: i16, uuid: impl Display) -> String {
    format!("{year}-{uuid}")
}

impl Draft<'_> {
    /// The body, byte for byte as Python's `fedmsg.publish` sends it unsigned: canonical JSON, and what
    /// Python holds for false as `msg` becomes `{}`.
    ///
    /// # Errors
    /// [`json::Error`] when `msg` is not what Python's `json.loads` accepts.
    pub fn body(&self) -> Result<Vec<u8>, json::Error> {
        let canonical = json::canonical(self.msg)?;
        let msg: &[u8] = match &*canonical {
            b"null" | b"false" | b"0" | b"0.0" | b"-0.0" | b"\"\"" | b"[]" => b"{}",
            msg => msg,
        };
        let mut body = Vec::with_capacity(msg.len() + 256);
        body.extend(format!("{{\"i\":{},\"msg\":", self.i).into_bytes());
        body.extend(msg);
        body.extend(b",\"msg_id\":");
        json::write_str(&mut body, self.msg_id);
        body.extend(format!(",\"timestamp\":{},\"topic\":", self.timestamp).into_bytes());
        json::write_str(&mut body, self.topic);
        body.extend(b",\"username\":");
        json::write_str(&mut body, self.username);
        body.push(b'}');
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(msg: &str) -> Result<String, json::Error> {
        let topic = Topic::new("org.fedoraproject.dev.logger.log").unwrap();
        let draft =
            Draft {
                i: 1, msg, msg_id: "2026-x", timestamp: 1_795_216_482, topic: &topic, username: "jiří"
            };
        draft.body().map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_body_is_canonical_json() {
        assert_eq!(
            body(r#"{ "z": 1.0, "a": "č" }"#).unwrap(),
            r#"{"i":1,"msg":{"a":"\u010d","z":1.0},"msg_id":"2026-x","timestamp":1795216482,"topic":"org.fedoraproject.dev.logger.log","username":"ji\u0159\u00ed"}"#
        );
    }

    #[test]
    fn what_python_holds_for_false_becomes_an_empty_object() {
        for msg in ["null", "false", "-0", "-0.0", r#""""#, "[ ]", "{}"] {
            assert!(body(msg).unwrap().contains(r#""msg":{},"#), "{msg}");
        }
        assert!(body("[0]").unwrap().contains(r#""msg":[0],"#));
    }

    #[test]
    fn a_msg_that_is_no_json_is_refused() {
        assert_eq!(body("{").unwrap_err().problem, json::Problem::ExpectedKey);
    }

    #[test]
    fn a_msg_id_begins_with_the_year() {
        assert_eq!(msg_id(2026, "ab-cd"), "2026-ab-cd");
    }
}
