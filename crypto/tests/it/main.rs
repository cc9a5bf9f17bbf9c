//! The crate by itself: files that change, times that end, keys that lie open, policies of the system.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod hostile;
mod reload;
mod signer;
mod system_policy;

use std::time::Duration;

use crypto::{RoutingPolicy, TrustFiles, Validator, Verdict};
use message::Envelope;

const TOPIC: &str = "org.fedoraproject.dev.logger.log";
const BODY: &str = r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{"log":"hello"}}"#;

fn validator(files: TrustFiles) -> Validator {
    Validator::with_recheck(files, RoutingPolicy::default(), Duration::ZERO)
}

/// The rule by which a message is rejected; `valid` if it isn't.
fn rule(validator: &Validator, body: &[u8]) -> &'static str {
    match validator.validate(TOPIC, &Envelope::parse(body).unwrap()) {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid { reason, .. } => reason.rule(),
        Verdict::Unsigned => "unsigned",
    }
}
