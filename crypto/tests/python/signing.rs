//! What one side signs, the other believes.

use crypto::{Development, Signer, make_development_ca};

use crate::oracle::{Oracle, Rules};
use crate::{TOPIC, pki, random, rule, rules, shapes};

const BODIES: usize = 300;

#[test]
fn messages_of_every_shape_are_signed_byte_for_byte_as_by_python_and_believed_by_both() {
    let mut random = random();
    let mut oracle = Oracle::start();
    // Python checks a key's primes each time it loads it: a short one is quick.
    let certname = "bits-1024";
    let signer = Signer::load(pki(), certname).unwrap();
    for _ in 0..BODIES {
        let body = shapes::body(&mut random);
        let theirs = oracle.sign(&body, pki(), certname);
        let ours = String::from_utf8(signer.sign(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(ours, theirs, "{body}");
        assert_eq!(rule(&mut oracle, "signed", TOPIC, &ours, &rules()), "valid", "{body}");
        let relayed = oracle.relayed(&ours);
        assert_eq!(rule(&mut oracle, "relayed", TOPIC, &relayed, &rules()), "valid", "{body}");
    }
}

#[test]
fn what_was_signed_before_is_signed_anew() {
    let mut oracle = Oracle::start();
    let once = oracle.sign(r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{}}"#, pki(), "revoked");
    let signer = Signer::load(pki(), "good").unwrap();
    let twice = String::from_utf8(signer.sign(once.as_bytes()).unwrap()).unwrap();
    assert_eq!(rule(&mut oracle, "signed twice", TOPIC, &twice, &rules()), "valid");
}

#[test]
fn python_believes_the_development_authority() {
    let folder = tempfile::tempdir().unwrap();
    let what = Development { names: &["shell"], revoked: &["stolen"], ..Development::default() };
    let files = make_development_ca(folder.path(), &what).unwrap();
    let mut oracle = Oracle::start();
    for (certname, expected) in [("shell", "valid"), ("stolen", "revoked"), ("ca", "valid")] {
        let signer = Signer::load(folder.path(), certname).unwrap();
        let body = signer.sign(br#"{"topic":"org.fedoraproject.dev.logger.log","msg":{}}"#).unwrap();
        let body = String::from_utf8(body).unwrap();
        let rules = Rules::new(files.ca.clone(), Some(files.crl.clone()));
        assert_eq!(rule(&mut oracle, certname, TOPIC, &body, &rules), expected);
        assert_eq!(rule(&mut oracle, certname, TOPIC, &body, &crate::rules()), "untrusted");
    }
}
