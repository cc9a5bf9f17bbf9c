//! Messages with something wrong, each judged by both sides.

use crypto::Verdict;
use message::Envelope;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::oracle::{Oracle, Rules};
use crate::{TOPIC, file, pki, rule, rules, validator};

const BODY: &str = r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{"log":"hello","n":[1,{"b":2,"a":null}]},"i":7,"timestamp":1700000000,"username":"root","msg_id":"2023-1"}"#;

struct Cases {
    oracle: Oracle,
    rules: Rules<'static>,
    /// A good message.
    good: Value,
}

impl Cases {
    fn new() -> Self {
        let mut oracle = Oracle::start();
        let good = serde_json::from_str(&oracle.sign(BODY, pki(), "good")).unwrap();
        Self { oracle, rules: rules(), good }
    }

    #[track_caller]
    fn check(&mut self, case: &str, body: &Value, expected: &str) {
        let found = rule(&mut self.oracle, case, TOPIC, &body.to_string(), &self.rules);
        assert_eq!(found, expected, "{case}");
    }

    /// The good message with another value in a field.
    fn with(&self, field: &str, value: Value) -> Value {
        let mut body = self.good.clone();
        body[field] = value;
        body
    }

    fn without(&self, fields: &[&str]) -> Value {
        let mut body = self.good.clone();
        for field in fields {
            body.as_object_mut().unwrap().remove(*field).unwrap();
        }
        body
    }

    fn text(&self, field: &str) -> String {
        self.good[field].as_str().unwrap().to_owned()
    }
}

fn key() -> PKey<Private> {
    PKey::private_key_from_pem(&std::fs::read(file("good.key")).unwrap()).unwrap()
}

/// A body with a signature over itself as it stands.
fn signed_by_hand(body: &str, certificate: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> Value {
    let mut signed: Value = serde_json::from_str(body).unwrap();
    signed["signature"] = json!(openssl::base64::encode_block(&sign(body.as_bytes())));
    signed["certificate"] = json!(certificate);
    signed
}

fn with_digest(digest: MessageDigest) -> impl Fn(&[u8]) -> Vec<u8> {
    move |text| Signer::new(digest, &key()).unwrap().sign_oneshot_to_vec(text).unwrap()
}

#[test]
fn what_was_changed_after_signing_is_rejected() {
    let mut cases = Cases::new();
    cases.check("good", &cases.good.clone(), "valid");
    for (field, value) in [
        ("msg", json!({ "log": "hell0" })),
        ("i", json!(8)),
        ("i", json!(7.0)),
        ("timestamp", json!(1_700_000_000.0)),
        ("username", json!("toor")),
        ("headers", json!({})),
        ("headers", Value::Null),
        ("seq_id", json!(1)),
        ("extra", json!("field")),
    ] {
        cases.check(field, &cases.with(field, value), "bad_signature");
    }
    cases.check("removed", &cases.without(&["username"]), "bad_signature");
    cases.check("crypto removed", &cases.without(&["crypto"]), "bad_signature");
    let other: Value = serde_json::from_str(&cases.oracle.sign(BODY, pki(), "other")).unwrap();
    cases.check(
        "another's certificate",
        &cases.with("certificate", other["certificate"].clone()),
        "bad_signature",
    );
    cases.check("another's signature", &cases.with("signature", other["signature"].clone()), "bad_signature");
    let later = cases.oracle.sign(&BODY.replace("hello", "later"), pki(), "good");
    let later: Value = serde_json::from_str(&later).unwrap();
    cases.check(
        "other message's signature",
        &cases.with("signature", later["signature"].clone()),
        "bad_signature",
    );
}

#[test]
fn the_topic_is_that_of_the_frame() {
    let mut cases = Cases::new();
    let body = cases.good.to_string();
    let rules = rules();
    for topic in [
        "org.fedoraproject.dev.logger.lo",
        "org.fedoraproject.dev.logger.log ",
        "ORG.fedoraproject.dev.logger.log",
    ] {
        assert_eq!(rule(&mut cases.oracle, topic, topic, &body, &rules), "topic_mismatch");
    }
    cases.check("changed", &cases.with("topic", json!("org.fedoraproject.dev.logger")), "topic_mismatch");
    // Without a topic in text it is no envelope but a bare message, and such have no signature.
    cases.check("number", &cases.with("topic", json!(5)), "unsigned");
    cases.check("null", &cases.with("topic", Value::Null), "unsigned");
    cases.check("none", &cases.without(&["topic"]), "unsigned");
    let lone = body.replace(r#""topic":"org."#, r#""topic":"\ud800org."#);
    assert_eq!(rule(&mut cases.oracle, "lone surrogate", TOPIC, &lone, &rules), "topic_mismatch");
    let unsigned = cases.oracle.sign(r#"{"topic":"other","msg":{}}"#, pki(), "good");
    assert_eq!(rule(&mut cases.oracle, "signed so", TOPIC, &unsigned, &rules), "topic_mismatch");
}

#[test]
fn fields_that_are_missing_or_of_another_type_are_rejected() {
    let mut cases = Cases::new();
    cases.check("no signature", &cases.without(&["signature"]), "missing_field");
    cases.check("no certificate", &cases.without(&["certificate"]), "missing_field");
    cases.check("neither", &cases.without(&["certificate", "signature"]), "missing_field");
    cases.check("only a certificate", &cases.without(&["crypto", "signature"]), "missing_field");
    cases.check("only a signature", &cases.without(&["crypto", "certificate"]), "gpg");
    cases.check("nothing", &cases.without(&["crypto", "certificate", "signature"]), "unsigned");
    cases.check("no envelope", &json!({ "log": "hello" }), "unsigned");
    for backend in ["rot13", "X509", "", " x509"] {
        cases.check(backend, &cases.with("crypto", json!(backend)), "unknown_backend");
    }
    cases.check("gpg", &cases.with("crypto", json!("gpg")), "gpg");
    for value in [
        Value::Null,
        json!(5),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!(["x509"]),
        json!([1, "a"]),
    ] {
        for field in ["crypto", "signature", "certificate"] {
            cases.check(&format!("{field}: {value}"), &cases.with(field, value.clone()), "not_text");
        }
    }
    for field in ["crypto", "signature", "certificate"] {
        let body = cases.with(field, json!("SURROGATE")).to_string().replace("SURROGATE", r"\ud800");
        assert_eq!(rule(&mut cases.oracle, field, TOPIC, &body, &cases.rules), "not_text", "{field}");
    }
}

#[test]
fn base64_is_read_as_leniently_as_by_python() {
    let mut cases = Cases::new();
    for field in ["signature", "certificate"] {
        let text = cases.text(field);
        for (case, text) in [
            ("one line", text.replace('\n', "")),
            ("foreign characters", format!("*{}", text.replace('\n', " !\r\n-_.:;,~\u{0}\u{7f}"))),
            ("padding in front", format!("=={text}")),
            ("text behind the padding", format!("{}====AAAA", text.trim_end())),
        ] {
            cases.check(&format!("{field}: {case}"), &cases.with(field, json!(text)), "valid");
        }
        for (case, broken) in [
            ("a character too many", "A".to_owned()),
            ("no padding", "AAA".to_owned()),
            ("half a padding", "AA=".to_owned()),
            ("not ASCII", format!("é{text}")),
        ] {
            cases.check(&format!("{field}: {case}"), &cases.with(field, json!(broken)), "not_base64");
        }
    }
    for text in ["", "!!!", "====", "AAAA"] {
        cases.check(text, &cases.with("signature", json!(text)), "bad_signature");
        cases.check(text, &cases.with("certificate", json!(text)), "not_a_certificate");
    }
    let signature = cases.text("signature");
    cases.check("twice", &cases.with("signature", json!(signature.repeat(2))), "valid");
    let unpadded = signature.trim_end().trim_end_matches('=');
    cases.check("without its padding", &cases.with("signature", json!(unpadded)), "not_base64");
}

#[test]
fn signatures_of_another_kind_are_rejected() {
    let mut cases = Cases::new();
    let certificate = cases.text("certificate");
    let crypto = r#"{"crypto":"x509","msg":{},"topic":"org.fedoraproject.dev.logger.log"}"#;
    let sha1 = with_digest(MessageDigest::sha1());
    cases.check("by hand", &signed_by_hand(crypto, &certificate, &sha1), "valid");
    let legacy = r#"{"msg":{},"topic":"org.fedoraproject.dev.logger.log"}"#;
    cases.check("up to fedmsg 0.7.2", &signed_by_hand(legacy, &certificate, &sha1), "valid");
    for digest in [MessageDigest::sha256(), MessageDigest::md5(), MessageDigest::sha512()] {
        let body = signed_by_hand(crypto, &certificate, with_digest(digest));
        cases.check("another digest", &body, "bad_signature");
    }
    let pss = |text: &[u8]| {
        let key = key();
        let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
        signer.set_rsa_padding(openssl::rsa::Padding::PKCS1_PSS).unwrap();
        signer.sign_oneshot_to_vec(text).unwrap()
    };
    cases.check("PSS", &signed_by_hand(crypto, &certificate, pss), "bad_signature");
    let bare = |text: &[u8]| {
        let mut signature = vec![0; 256];
        let digest = openssl::sha::sha1(text);
        key().rsa().unwrap().private_encrypt(&digest, &mut signature, openssl::rsa::Padding::PKCS1).unwrap();
        signature
    };
    cases.check("the digest alone", &signed_by_hand(crypto, &certificate, bare), "bad_signature");
    let longer = |text: &[u8]| [&[0], &*sha1(text)].concat();
    cases.check("a byte more", &signed_by_hand(crypto, &certificate, longer), "bad_signature");
    for other in ["ec", "ed25519", "dsa"] {
        let pem = std::fs::read(file(&format!("{other}.crt"))).unwrap();
        let body = cases.with("certificate", json!(openssl::base64::encode_block(&pem)));
        cases.check(other, &body, "not_rsa");
    }
}

#[test]
fn the_policy_says_who_may_send_what() {
    let mut cases = Cases::new();
    let good = cases.good.clone();
    for (policy, nitpicky, expected) in [
        (vec![(TOPIC, vec!["good"])], false, "valid"),
        (vec![(TOPIC, vec!["good"])], true, "valid"),
        (vec![(TOPIC, vec!["other", "good"])], true, "valid"),
        (vec![(TOPIC, vec!["other"])], false, "not_permitted"),
        (vec![(TOPIC, vec!["goo", "good "])], false, "not_permitted"),
        (vec![(TOPIC, vec![])], false, "not_permitted"),
        (vec![], false, "valid"),
        (vec![], true, "not_listed"),
        (vec![("another.topic", vec!["other"])], false, "valid"),
        (vec![("another.topic", vec!["good"])], true, "not_listed"),
    ] {
        cases.rules = Rules { policy, nitpicky, ..rules() };
        let case = format!("{:?}", cases.rules);
        cases.check(&case, &good, expected);
    }
    // Of two names the first one counts.
    for (name, expected) in [("first", "valid"), ("second", "not_permitted")] {
        cases.rules = Rules { policy: vec![(TOPIC, vec![name])], ..rules() };
        let body = cases.oracle.sign(BODY, pki(), "two-names");
        let found = rule(&mut cases.oracle, name, TOPIC, &body, &cases.rules);
        assert_eq!(found, expected, "{name}");
    }
    for (certname, name) in
        [("bmp-name", "bmp-ž"), ("t61-name", "t61-ž"), ("utf8-name", "utf8-ž"), ("empty-name", "")]
    {
        cases.rules = Rules { policy: vec![(TOPIC, vec![name])], ..rules() };
        let body = cases.oracle.sign(BODY, pki(), certname);
        assert_eq!(rule(&mut cases.oracle, certname, TOPIC, &body, &cases.rules), "valid", "{certname}");
    }
}

#[test]
fn of_fields_that_come_twice_the_last_counts() {
    let mut cases = Cases::new();
    let body = cases.good.to_string();
    let signature = format!(r#""signature":{}"#, cases.good["signature"]);
    for (case, body, expected) in [
        ("a bad one first", body.replacen('{', r#"{"signature":"AAAA","#, 1), "valid"),
        (
            "a bad one last",
            body.replace(&signature, &format!(r#"{signature},"signatur\u0065":"AAAA""#)),
            "bad_signature",
        ),
        ("written otherwise", body.replace(r#""signature":"#, r#""\u0073ignature" : "#), "valid"),
    ] {
        assert_eq!(rule(&mut cases.oracle, case, TOPIC, &body, &cases.rules), expected, "{case}");
    }
}

#[test]
fn numbers_may_be_written_otherwise_than_they_were_signed() {
    let mut cases = Cases::new();
    let body = r#"{"topic":"org.fedoraproject.dev.logger.log","msg":[1E5,-0]}"#;
    let signed = cases.oracle.sign(body, pki(), "good");
    assert!(signed.contains("[100000.0,0]"), "{signed}");
    let rewritten = signed.replace("[100000.0,0]", "[1E5,-0]");
    assert_eq!(rule(&mut cases.oracle, "rewritten", TOPIC, &rewritten, &cases.rules), "valid");
}

#[test]
fn beyond_python_3_numbers_are_verified_as_they_stand() {
    let mut cases = Cases::new();
    // Python 2.6 wrote a float with 17 digits, and so signed it.
    let text = r#"{"crypto":"x509","msg":0.10000000000000001,"topic":"org.fedoraproject.dev.logger.log"}"#;
    let signature = with_digest(MessageDigest::sha1())(text.as_bytes());
    let fields = format!(
        r#"{{"certificate":{},"signature":"{}","#,
        cases.good["certificate"],
        openssl::base64::encode_block(&signature)
    );
    let body = text.replacen('{', &fields, 1);
    assert!(cases.oracle.rejects(TOPIC, &body, &cases.rules).is_some());
    let verdict = validator(&cases.rules).validate(TOPIC, &Envelope::parse(body.as_bytes()).unwrap());
    assert_eq!(verdict, Verdict::Valid { cn: "good".into() });
    // Once a relay has written the number anew, nobody can verify it.
    let relayed = cases.oracle.relayed(&body);
    assert_eq!(rule(&mut cases.oracle, "relayed", TOPIC, &relayed, &cases.rules), "bad_signature");
}
