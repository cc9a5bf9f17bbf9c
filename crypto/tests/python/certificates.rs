//! Who signs: certificates, authorities and revocation lists of every kind.

use std::time::Duration;

use crypto::{Stage, TrustFiles};

use crate::forge::forged;
use crate::oracle::{Oracle, Rules};
use crate::{TOPIC, file, pki, rule, rules};

const BODY: &str = r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{"log":"hello"},"i":1}"#;

#[test]
fn certificates_are_trusted_as_by_python() {
    let mut oracle = Oracle::start();
    for (certname, expected) in [
        ("good", "valid"),
        ("bits-1024", "valid"),
        ("bits-4096", "valid"),
        ("exponent-3", "valid"),
        ("two-names", "valid"),
        ("utf8-name", "valid"),
        ("printable-name", "valid"),
        ("bmp-name", "valid"),
        ("t61-name", "valid"),
        ("empty-name", "valid"),
        ("longest-name", "valid"),
        ("for-servers", "valid"),
        ("uncritical", "valid"),
        ("ca-itself", "valid"),
        ("critical", "untrusted"),
        ("no-name", "no_common_name"),
        ("revoked", "revoked"),
        ("expired", "expired"),
        ("not-yet", "not_yet_valid"),
        ("foreign", "untrusted"),
        ("foreign-plain", "untrusted"),
        ("stranger", "untrusted"),
        ("self-signed", "untrusted"),
        ("below-middle", "untrusted"),
    ] {
        let body = oracle.sign(BODY, pki(), certname);
        assert_eq!(rule(&mut oracle, certname, TOPIC, &body, &rules()), expected, "{certname}");
    }
}

#[test]
fn authorities_and_revocation_lists_are_trusted_as_by_python() {
    let mut oracle = Oracle::start();
    for (ca, crl, certname, expected) in [
        ("ca.crt", None, "good", "valid"),
        ("ca.crt", None, "revoked", "valid"),
        ("ca.crt", Some("empty-list.crl"), "revoked", "valid"),
        ("ca.crt", Some("with-text.crl"), "good", "valid"),
        ("ca.crt", Some("with-text.crl"), "revoked", "revoked"),
        ("ca.crt", Some("expired.crl"), "good", "crl_expired"),
        ("ca.crt", Some("not-yet.crl"), "good", "crl_expired"),
        ("ca.crt", Some("foreign.crl"), "good", "crl_foreign"),
        ("ca.crt", Some("foreign-plain.crl"), "good", "crl_foreign"),
        ("ca.crt", Some("other.crl"), "good", "crl_foreign"),
        ("ca.crt", Some("critical.crl"), "good", "crl_foreign"),
        ("ca.crt", Some("revokes-ca.crl"), "good", "crl_foreign"),
        ("ca.crt", Some("expired.crl"), "ca-itself", "crl_expired"),
        ("ca.crt", Some("foreign.crl"), "ca-itself", "crl_foreign"),
        // Only the first list in a file counts.
        ("ca.crt", Some("expired-first.crl"), "good", "crl_expired"),
        ("ca.crt", Some("good-first.crl"), "revoked", "valid"),
        ("ca.crt", Some("nothing.crl"), "good", "crl_unavailable"),
        ("ca.crt", Some("garbage"), "good", "crl_unavailable"),
        ("ca.crt", Some("."), "good", "crl_unavailable"),
        ("nothing.crt", None, "good", "ca_unavailable"),
        ("garbage", None, "good", "ca_unavailable"),
        ("empty", None, "good", "ca_unavailable"),
        ("crl", None, "good", "ca_unavailable"),
        ("ca-with-text.crt", Some("crl"), "good", "valid"),
        // Only the first certificate in a file counts.
        ("two-cas.crt", Some("crl"), "good", "valid"),
        ("two-cas.crt", Some("crl"), "stranger", "untrusted"),
        ("two-cas-other-first.crt", None, "good", "untrusted"),
        // What another authority issued ends no chain.
        ("middle.crt", None, "below-middle", "ca_unavailable"),
        ("self-signed.crt", None, "self-signed", "valid"),
        ("good.crt", None, "good", "ca_unavailable"),
        ("gone.crt", None, "of-gone", "ca_expired"),
        ("gone.crt", Some("gone.crl"), "of-gone", "ca_expired"),
        ("no-crl.crt", None, "of-no-crl", "valid"),
        ("no-crl.crt", Some("no-crl.crl"), "of-no-crl", "crl_foreign"),
        // Nor does what may not sign.
        ("no-sign.crt", None, "of-no-sign", "ca_unavailable"),
    ] {
        let body = oracle.sign(BODY, pki(), certname);
        let rules = Rules::new(file(ca), crl.map(file));
        let case = format!("{certname} by {ca} and {crl:?}");
        assert_eq!(rule(&mut oracle, &case, TOPIC, &body, &rules), expected, "{case}");
    }
}

#[test]
fn authorities_of_fedmsgs_day_are_trusted_as_by_python() {
    let mut oracle = Oracle::start();
    for authority in ["old-sha1-v1", "old-sha1-v3", "old-md5-v1", "old-md5-v3"] {
        let crl = format!("{authority}.crl");
        for (crl, certname, expected) in
            [(None, "good", "valid"), (Some(&crl), "good", "valid"), (Some(&crl), "revoked", "revoked")]
        {
            let rules = Rules::new(file(&format!("{authority}.crt")), crl.map(|crl| file(crl)));
            let body = oracle.sign(BODY, pki(), &format!("{authority}-{certname}"));
            let case = format!("{certname} by {rules:?}");
            assert_eq!(rule(&mut oracle, &case, TOPIC, &body, &rules), expected, "{case}");
        }
    }
}

#[test]
fn an_empty_revocation_list_is_none_and_not_as_in_python_as_good_as_unconfigured() {
    let mut oracle = Oracle::start();
    let body = oracle.sign(BODY, pki(), "good");
    let rules = Rules::new(file("ca.crt"), Some(file("empty")));
    assert_eq!(oracle.rejects(TOPIC, &body, &rules), None);
    let verdict =
        crate::validator(&rules).validate(TOPIC, &message::Envelope::parse(body.as_bytes()).unwrap());
    assert!(
        matches!(verdict, crypto::Verdict::Invalid { reason: crypto::Reason::CrlUnavailable, .. }),
        "{verdict:?}"
    );
}

#[test]
fn a_common_name_of_endless_length_names_nobody_though_to_python_it_does() {
    let mut oracle = Oracle::start();
    let body = oracle.sign(BODY, pki(), "too-long-name");
    assert_eq!(oracle.rejects(TOPIC, &body, &rules()), None);
    let verdict =
        crate::validator(&rules()).validate(TOPIC, &message::Envelope::parse(body.as_bytes()).unwrap());
    assert_eq!(verdict, crypto::Verdict::Invalid { reason: crypto::Reason::NoCommonName, cn: None });
}

#[test]
fn a_revocation_list_without_an_end_never_ends_as_by_python() {
    let endless = forged("empty-list.crl", |contents| {
        // The second time is when the next list comes.
        let at = contents.windows(2).rposition(|part| part == b"\x17\x0d").unwrap();
        contents.drain(at..at + 2 + 13);
    });
    let folder = tempfile::tempdir().unwrap();
    let crl = folder.path().join("endless.crl");
    std::fs::write(&crl, endless).unwrap();
    let mut oracle = Oracle::start();
    let body = oracle.sign(BODY, pki(), "good");
    let rules = Rules::new(file("ca.crt"), Some(crl.clone()));
    assert_eq!(rule(&mut oracle, "endless", TOPIC, &body, &rules), "valid");
    let expiries = TrustFiles { ca: rules.ca, crl: Some(crl) }.expiries().unwrap();
    assert_eq!(expiries[1].stage(Duration::MAX), Stage::Valid);
}
