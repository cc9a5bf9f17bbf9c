//! A received body: what stands in it, without taking it apart.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use crate::json;

/// A view of a message body. The bytes stay what they are; fields are decoded when asked for.
///
/// A body is an envelope when it is an object with a string `topic`. Any other object is a bare message, as
/// in Python's `fedmsg/consumers/__init__.py`: all of it is the `msg`, and it has no fields.
///
/// A field of the wrong type is as good as absent.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'b> {
    body: &'b str,
    fields: Fields<'b>,
}

/// The text of each field that has a meaning here.
#[derive(Debug, Clone, Copy, Default)]
struct Fields<'b> {
    certificate: Option<&'b str>,
    crypto: Option<&'b str>,
    i: Option<&'b str>,
    msg: Option<&'b str>,
    msg_id: Option<&'b str>,
    signature: Option<&'b str>,
    timestamp: Option<&'b str>,
    topic: Option<&'b str>,
    username: Option<&'b str>,
}

/// Why a body is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// It isn't UTF-8.
    #[error("the body is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// How many of the leading bytes are valid UTF-8.
        at: usize,
    },
    /// It isn't JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[source] json::Error),
    /// It is JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
}

impl<'b> Envelope<'b> {
    /// Scans a body, once.
    ///
    /// # Errors
    /// [`EnvelopeError`] when it is no JSON object as Python's `json.loads` accepts it.
    pub fn parse(body: &'b [u8]) -> Result<Self, EnvelopeError> {
        let body =
            std::str::from_utf8(body).map_err(|error| EnvelopeError::NotUtf8 { at: error.valid_up_to() })?;
        let mut fields = Fields::default();
        json::members(body, |key, value| fields.set(key, value)).map_err(|error| match error.problem {
            json::Problem::NotAnObject => EnvelopeError::NotAnObject,
            _ => EnvelopeError::NotJson(error),
        })?;
        if !fields.topic.is_some_and(|topic| topic.starts_with('"')) {
            fields = Fields { msg: Some(body), ..Fields::default() };
        }
        Ok(Self { body, fields })
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &'b [u8] {
        self.body.as_bytes()
    }

    /// The body, or, around a bare message, the envelope that `fedmsg/consumers/__init__.py` puts around it.
    #[must_use]
    pub fn in_full(&self, topic: &str) -> Cow<'b, [u8]> {
        if self.fields.topic.is_some() {
            return Cow::Borrowed(self.body());
        }
        let mut body = br#"{"msg":"#.to_vec();
        body.extend_from_slice(self.msg_raw());
        body.extend_from_slice(br#","topic":"#);
        json::write_str(&mut body, topic);
        body.push(b'}');
        Cow::Owned(body)
    }

    /// The topic that the sender wrote into the body. The topic frame is what messages are routed by.
    #[must_use]
    pub fn topic(&self) -> Option<Cow<'b, str>> {
        text(self.fields.topic)
    }

    /// `<year>-<uuid>`, the same wherever the message turns up.
    #[must_use]
    pub fn msg_id(&self) -> Option<Cow<'b, str>> {
        text(self.fields.msg_id)
    }

    /// The count of messages that the sending process had sent, this one included.
    #[must_use]
    pub fn i(&self) -> Option<u64> {
        self.fields.i?.parse().ok()
    }

    /// When it was sent, in seconds since 1970. Old publishers sent fractions.
    #[must_use]
    pub fn timestamp(&self) -> Option<f64> {
        // Python's words for numbers that are none would parse, too.
        self.fields
            .timestamp
            .filter(|token| !token.contains('N'))?
            .parse()
            .ok()
            .filter(|time: &f64| time.is_finite())
    }

    /// The user whose process sent it.
    #[must_use]
    pub fn username(&self) -> Option<Cow<'b, str>> {
        text(self.fields.username)
    }

    /// How it is signed, as JSON text: `"x509"` or `"gpg"`. Whoever verifies must tell a field of the wrong type
    /// from one that isn't there.
    #[must_use]
    pub fn crypto_raw(&self) -> Option<&'b str> {
        self.fields.crypto
    }

    /// The signature, as JSON text: base64 in a string.
    #[must_use]
    pub fn signature_raw(&self) -> Option<&'b str> {
        self.fields.signature
    }

    /// The certificate, as JSON text: base64 in a string.
    #[must_use]
    pub fn certificate_raw(&self) -> Option<&'b str> {
        self.fields.certificate
    }

    /// What its signature is made over: the canonical form without signature and certificate.
    ///
    /// Python signs and verifies [`json::Numbers::Anew`]; of a message whose floats another program wrote, the
    /// signature may be over [`json::Numbers::Verbatim`].
    #[must_use]
    pub fn signed_form(&self, numbers: json::Numbers) -> Vec<u8> {
        // The same scanner has accepted the text before.
        json::canonical_without(self.body, &["signature", "certificate"], numbers).unwrap_or_default()
    }

    /// The JSON text of what is said, if the envelope has any.
    #[must_use]
    pub fn said(&self) -> Option<&'b str> {
        self.fields.msg
    }

    /// The JSON text of what is said; `null` in an envelope without it.
    #[must_use]
    pub fn msg_raw(&self) -> &'b [u8] {
        self.fields.msg.unwrap_or("null").as_bytes()
    }

    /// What is said, as the type that the topic's messages have.
    ///
    /// # Errors
    /// When it is of another shape, or has what only Python reads: `NaN`, `Infinity`, a lone surrogate, more
    /// than 128 levels. [`Envelope::msg_raw`] has that, too.
    pub fn msg<T: Deserialize<'b>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.msg_raw())
    }
}

fn text(token: Option<&str>) -> Option<Cow<'_, str>> {
    json::decode(token?)
}

impl<'b> Fields<'b> {
    fn set(&mut self, key: &'b str, value: &'b str) {
        let field = match json::decode(key).as_deref() {
            Some("certificate") => &mut self.certificate,
            Some("crypto") => &mut self.crypto,
            Some("i") => &mut self.i,
            Some("msg") => &mut self.msg,
            Some("msg_id") => &mut self.msg_id,
            Some("signature") => &mut self.signature,
            Some("timestamp") => &mut self.timestamp,
            Some("topic") => &mut self.topic,
            Some("username") => &mut self.username,
            _ => return,
        };
        *field = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const SIGNED: &str = r#" {"certificate": "Y2VydA==\n", "crypto": "x509", "i": 3, "msg": {"log": "hé\n"},
        "msg_id": "2026-1", "signature": "c2ln\n", "timestamp": 1795216482.5, "topic": "org.ž", "username": "root"} "#;

    fn parse(body: &str) -> Envelope<'_> {
        Envelope::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn an_envelopes_fields_can_be_read() {
        let envelope = parse(SIGNED);
        assert_eq!(envelope.body(), SIGNED.as_bytes());
        assert_eq!(envelope.topic().unwrap(), "org.ž");
        assert_eq!(envelope.msg_id().unwrap(), "2026-1");
        assert_eq!(envelope.i(), Some(3));
        assert_eq!(envelope.timestamp(), Some(1_795_216_482.5));
        assert_eq!(envelope.username().unwrap(), "root");
        assert_eq!(envelope.crypto_raw().unwrap(), r#""x509""#);
        assert_eq!(envelope.signature_raw().unwrap(), r#""c2ln\n""#);
        assert_eq!(envelope.certificate_raw().unwrap(), r#""Y2VydA==\n""#);
        assert_eq!(envelope.msg_raw(), r#"{"log": "hé\n"}"#.as_bytes());
    }

    #[test]
    fn what_is_signed_is_the_rest_in_canonical_form() {
        let envelope =
            parse(r#"{"topic":"t","msg":{"signature":1.50},"signatur\u0065":"s","certificate":2,"i":-0}"#);
        let signed = |numbers| String::from_utf8(envelope.signed_form(numbers)).unwrap();
        assert_eq!(signed(json::Numbers::Anew), r#"{"i":0,"msg":{"signature":1.5},"topic":"t"}"#);
        assert_eq!(signed(json::Numbers::Verbatim), r#"{"i":-0,"msg":{"signature":1.50},"topic":"t"}"#);
    }

    #[test]
    fn the_msg_is_read_as_any_type() {
        #[derive(Deserialize)]
        struct Log<'m> {
            #[serde(borrow)]
            log: Cow<'m, str>,
        }
        let envelope = parse(SIGNED);
        assert_eq!(envelope.msg::<Log<'_>>().unwrap().log, "hé\n");
        assert!(envelope.msg::<Vec<u8>>().is_err());
        assert!(parse(r#"{"topic":"t","msg":NaN}"#).msg::<Value>().is_err());
    }

    #[test]
    fn fields_of_the_wrong_type_are_as_good_as_absent() {
        let envelope = parse(r#"{"topic":"t","msg_id":1,"i":-1,"timestamp":"1","username":null}"#);
        assert_eq!(envelope.msg_id(), None);
        assert_eq!(envelope.i(), None);
        assert_eq!(envelope.timestamp(), None);
        assert_eq!(envelope.username(), None);
        assert_eq!(envelope.msg_raw(), b"null");
    }

    #[test]
    fn a_timestamp_is_a_finite_number() {
        for (token, expected) in [
            ("1795216482", Some(1_795_216_482.0)),
            ("-1.5e3", Some(-1500.0)),
            ("NaN", None),
            ("Infinity", None),
            ("-Infinity", None),
            ("1e400", None),
            ("true", None),
        ] {
            assert_eq!(
                parse(&format!(r#"{{"topic":"t","timestamp":{token}}}"#)).timestamp(),
                expected,
                "{token}"
            );
        }
    }

    #[test]
    fn an_object_without_a_string_topic_is_all_msg() {
        for body in [r#"{"a":1}"#, r#"{"topic":1,"msg":2,"msg_id":"x"}"#, "{}", r#" {"msg":{"topic":"t"}} "#]
        {
            let envelope = parse(body);
            assert_eq!(envelope.msg_raw(), body.as_bytes());
            assert_eq!((envelope.topic(), envelope.msg_id()), (None, None), "{body}");
        }
    }

    #[test]
    fn a_bare_message_gets_an_envelope_and_what_has_one_stays_as_it_is() {
        let body = parse(r#" {"a": 1.50} "#).in_full("t\"ž");
        assert_eq!(str::from_utf8(&body).unwrap(), r#"{"msg": {"a": 1.50} ,"topic":"t\"\u017e"}"#);
        assert_eq!(&*parse(SIGNED).in_full("other"), SIGNED.as_bytes());
    }

    #[test]
    fn the_last_of_several_fields_counts_however_its_name_is_written() {
        let envelope = parse(r#"{"topic":"a","\u0074opic":"b","msg":1,"msg":2}"#);
        assert_eq!(envelope.topic().unwrap(), "b");
        assert_eq!(envelope.msg_raw(), b"2");
    }

    #[test]
    fn a_string_that_no_text_can_hold_is_absent_but_its_message_is_not() {
        let envelope = parse(r#"{"topic":"\ud800","msg":2}"#);
        assert_eq!(envelope.topic(), None);
        assert_eq!(envelope.msg_raw(), b"2");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(Envelope::parse(b"{\"a\xff\"}").unwrap_err(), EnvelopeError::NotUtf8 { at: 3 });
        for body in ["[]", " 1", "\"\"", "null", r#"[{"topic":"t"}]"#] {
            assert_eq!(Envelope::parse(body.as_bytes()).unwrap_err(), EnvelopeError::NotAnObject, "{body}");
        }
        let error = Envelope::parse(br#"{"a":1,}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body is not JSON: expected a key in double quotes at byte 7");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _verdict = Envelope::parse(&body);
        }

        #[test]
        fn what_serde_json_writes_is_read(topic in ".{0,20}", msg in prop::collection::vec(".{0,20}", 0..4)) {
            let body = serde_json::json!({ "topic": topic, "msg": msg }).to_string();
            let envelope = parse(&body);
            prop_assert_eq!(envelope.topic().unwrap(), topic);
            prop_assert_eq!(envelope.msg::<Vec<String>>().unwrap(), msg);
        }
    }
}
