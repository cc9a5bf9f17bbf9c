//! Holds this crate against the real Python fedmsg, both ways.
//!
//! `FEDMSG_TEST_SEED` repeats a run; a failure prints the seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod certificates;
mod failures;
mod forge;
mod mutations;
mod names;
mod oracle;
mod shapes;
mod signing;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crypto::{RoutingPolicy, TrustFiles, Validator, Verdict};
use message::Envelope;
use tempfile::TempDir;

use crate::oracle::{Oracle, Rules};

const TOPIC: &str = "org.fedoraproject.dev.logger.log";

/// Made once for all tests.
fn pki() -> &'static Path {
    static PKI: OnceLock<TempDir> = OnceLock::new();
    PKI.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        oracle::make_pki(folder.path());
        folder
    })
    .path()
}

fn file(name: &str) -> PathBuf {
    pki().join(name)
}

/// The authority most key pairs are of, with its revocation list.
fn rules() -> Rules<'static> {
    Rules::new(file("ca.crt"), Some(file("crl")))
}

fn validator(rules: &Rules<'_>) -> Validator {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let policy = rules.policy.iter().map(|(topic, of)| ((*topic).to_owned(), names(of))).collect();
    let files = TrustFiles { ca: rules.ca.clone(), crl: rules.crl.clone() };
    Validator::with_recheck(files, RoutingPolicy::new(policy, rules.nitpicky), Duration::ZERO)
}

/// Asks both. They must agree whether the message is good.
fn verdict(oracle: &mut Oracle, case: &str, topic: &str, body: &str, rules: &Rules<'_>) -> Verdict {
    let ours = validator(rules).validate(topic, &Envelope::parse(body.as_bytes()).unwrap());
    let python = oracle.rejects(topic, body, rules);
    assert_eq!(ours.is_valid(), python.is_none(), "{case}: {ours:?}, Python: {python:?}\n{body}");
    ours
}

/// The rule that broke it, for both.
fn rule(oracle: &mut Oracle, case: &str, topic: &str, body: &str, rules: &Rules<'_>) -> &'static str {
    match verdict(oracle, case, topic, body, rules) {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid { reason, .. } => reason.rule(),
        Verdict::Unsigned => "unsigned",
    }
}

/// Random numbers, with the seed to repeat them.
fn random() -> fastrand::Rng {
    let seed = match std::env::var("FEDMSG_TEST_SEED") {
        Ok(seed) => seed.parse().expect("FEDMSG_TEST_SEED should be an integer"),
        Err(_) => fastrand::u64(..),
    };
    println!("FEDMSG_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
