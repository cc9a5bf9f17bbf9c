//! Certificates that nobody would send who means well.

use openssl::hash::MessageDigest;

use crate::authority::{Authority, HOUR};
use crate::{TOPIC, rule, validator};

/// A message with this for its certificate, and a signature that is none.
fn body(certificate: &[u8]) -> String {
    let certificate = openssl::base64::encode_block(certificate);
    format!(r#"{{"topic":"{TOPIC}","crypto":"x509","signature":"AAAA","certificate":"{certificate}"}}"#)
}

#[test]
fn a_certificate_field_of_a_megabyte_is_judged_like_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let pem = std::fs::read(folder.path().join("shell.crt")).unwrap();
    let validator = validator(authority.files());
    let fill = |part: &[u8]| part.repeat((1 << 20) / part.len());
    let block =
        |inside: &[u8]| [b"-----BEGIN CERTIFICATE-----\n", inside, b"\n-----END CERTIFICATE-----\n"].concat();
    let der = |part: &[u8]| block(openssl::base64::encode_block(&fill(part)).as_bytes());
    for (case, certificate, expected) in [
        ("zeros", fill(b"\0"), "not_a_certificate"),
        ("lines", fill(b"\n"), "not_a_certificate"),
        ("dashes", fill(b"-"), "not_a_certificate"),
        ("beginnings", fill(b"-----BEGIN CERTIFICATE-----\n"), "not_a_certificate"),
        ("beginnings on one line", fill(b"-----BEGIN CERTIFICATE-----"), "not_a_certificate"),
        ("other blocks", fill(b"-----BEGIN A-----\nAAAA\n-----END A-----\n"), "not_a_certificate"),
        ("headers", block(&fill(b"a: b\n")), "not_a_certificate"),
        ("a long line", block(&fill(b"A")), "not_a_certificate"),
        ("sequences in sequences", der(b"\x30\x80"), "not_a_certificate"),
        ("sequences of great length", der(b"\x30\x84\x7f\xff\xff\xff"), "not_a_certificate"),
        ("the same again and again", fill(&pem), "bad_signature"),
        ("text in front", [fill(b"text\n"), pem.clone()].concat(), "bad_signature"),
        ("text behind", [pem.clone(), fill(b"text\n")].concat(), "bad_signature"),
    ] {
        assert_eq!(rule(&validator, body(&certificate).as_bytes()), expected, "{case}");
    }
}
