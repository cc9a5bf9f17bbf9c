//! What trust rests on, changing while messages come.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crypto::{Signer, Stage, TrustFiles, Validator};
use openssl::hash::MessageDigest;
use rustix::fs::{CWD, FileType, Mode};

use crate::authority::{Authority, HOUR, replace};
use crate::{BODY, rule, validator};

fn signed(folder: &Path, certname: &str) -> Vec<u8> {
    Signer::load(folder, certname).unwrap().sign(BODY.as_bytes()).unwrap()
}

fn wait_for(validator: &Validator, body: &[u8], expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while rule(validator, body) != expected {
        assert!(Instant::now() < deadline, "{} is not {expected}", rule(validator, body));
    }
}

#[test]
fn a_revocation_counts_from_when_the_list_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    let certificate = authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "valid");
    authority.revoke(&[&certificate], HOUR);
    assert_eq!(rule(&validator, &body), "revoked");
    authority.revoke(&[], HOUR);
    assert_eq!(rule(&validator, &body), "valid");
}

#[test]
fn another_authority_in_the_same_file_takes_the_place_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let files = TrustFiles { crl: None, ..authority.files() };
    let validator = validator(files);
    assert_eq!(rule(&validator, &body), "valid");
    Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    assert_eq!(rule(&validator, &body), "untrusted");
}

#[test]
fn files_that_are_missing_or_broken_are_read_as_soon_as_they_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let (ca, crl) = (folder.path().join("ca.crt"), folder.path().join("crl.pem"));
    let (ca_pem, crl_pem) = (fs::read(&ca).unwrap(), fs::read(&crl).unwrap());
    fs::remove_file(&ca).unwrap();
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "ca_unavailable");
    assert_eq!(authority.files().expiries().unwrap_err().path, ca);
    replace(&ca, &ca_pem);
    assert_eq!(rule(&validator, &body), "valid");
    fs::remove_file(&crl).unwrap();
    assert_eq!(rule(&validator, &body), "crl_unavailable");
    // Neither moved nor longer, but written into.
    fs::write(&crl, &crl_pem[..crl_pem.len() / 2]).unwrap();
    assert_eq!(rule(&validator, &body), "crl_unavailable");
    fs::write(&crl, &crl_pem).unwrap();
    assert_eq!(rule(&validator, &body), "valid");
}

#[test]
fn whatever_takes_a_files_place_is_no_authority_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    for (file, expected) in [("ca.crt", "ca_unavailable"), ("crl.pem", "crl_unavailable")] {
        let path = folder.path().join(file);
        let good = fs::read(&path).unwrap();
        for bad in [
            &b""[..],
            b"garbage",
            b"\0\xff",
            b"-----BEGIN CERTIFICATE-----\n",
            &fs::read("/proc/self/exe").unwrap(),
        ] {
            replace(&path, bad);
            assert_eq!(rule(&validator, &body), expected);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(rule(&validator, &body), expected);
        fs::remove_dir(&path).unwrap();
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(rule(&validator, &body), expected);
        replace(&path, &good);
        assert_eq!(rule(&validator, &body), "valid");
    }
}

#[test]
fn a_list_from_the_future_lets_nobody_through_until_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "valid");
    authority.revoke_from(HOUR, &[], 2 * HOUR);
    assert_eq!(rule(&validator, &body), "crl_expired");
    assert_eq!(authority.files().expiries().unwrap()[1].stage(Duration::ZERO), Stage::NotYet);
    authority.revoke(&[], HOUR);
    assert_eq!(rule(&validator, &body), "valid");
}

#[test]
fn files_are_looked_at_no_more_often_than_asked() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let hour = Duration::from_secs(3600);
    let validator = Validator::with_recheck(authority.files(), crypto::RoutingPolicy::default(), hour);
    fs::remove_file(folder.path().join("ca.crt")).unwrap();
    assert_eq!(rule(&validator, &body), "valid");
}

#[test]
fn a_certificate_found_good_is_good_no_longer_than_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", 3);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "valid");
    wait_for(&validator, &body, "expired");
}

#[test]
fn a_certificate_found_good_is_good_no_longer_than_the_list_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    authority.pair("shell", HOUR);
    authority.revoke(&[], 3);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "valid");
    wait_for(&validator, &body, "crl_expired");
}

#[test]
fn a_certificate_found_good_is_good_no_longer_than_the_authority_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), 3);
    authority.pair("shell", HOUR);
    let body = signed(folder.path(), "shell");
    let validator = validator(authority.files());
    assert_eq!(rule(&validator, &body), "valid");
    wait_for(&validator, &body, "ca_expired");
}

#[test]
fn what_ends_soon_is_told_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), 10 * HOUR);
    authority.revoke(&[], HOUR / 4);
    let expiries = authority.files().expiries().unwrap();
    let stages = expiries.iter().map(|expiry| (&*expiry.file, expiry.stage(Duration::MAX)));
    let (ca, crl) = (folder.path().join("ca.crt"), folder.path().join("crl.pem"));
    assert_eq!(stages.collect::<Vec<_>>(), [(&*ca, Stage::Valid), (&*crl, Stage::EndsSoon)]);
}

#[test]
fn many_threads_share_a_validator_while_its_files_change() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha256(), HOUR);
    let stolen = authority.pair("stolen", HOUR);
    authority.pair("shell", HOUR);
    let (shell, stolen_body) = (signed(folder.path(), "shell"), signed(folder.path(), "stolen"));
    let validator = validator(authority.files());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    assert_eq!(rule(&validator, &shell), "valid");
                    assert!(["valid", "revoked"].contains(&rule(&validator, &stolen_body)));
                }
            });
        }
        for round in 0..100 {
            let revoked: &[_] = if round % 2 == 0 { &[&stolen] } else { &[] };
            authority.revoke(revoked, HOUR);
        }
        authority.revoke(&[&stolen], HOUR);
        wait_for(&validator, &stolen_body, "revoked");
        done.store(true, Relaxed);
    });
    assert_eq!(rule(&validator, &stolen_body), "revoked");
}
