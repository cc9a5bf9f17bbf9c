//! What is wrong with the files that trust rests on, and with the routing policy. Also asked by the running hub, which
//! tells of the files day by day.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crypto::{Expiry, PolicyProblem, Signer, SignerError, Stage};
use jiff::Timestamp;
use message::Pattern;
use plugin_api::Outbound;
use settings::{CryptoSettings, SIGNING_RELAY, SigningError};

use super::{Finding, Kind};
use crate::plan::{Plan, PlannedConsumer, Trust};

/// What to do about a certificate that the hub signs with.
const RENEW: &str =
    "get a new certificate from the authority, and restart the hub, which reads it at its start";

/// What to do about a file of the authority's.
const NEW_ONE: &str = "put the authority's new one in its place";

/// What is wrong with the files of `[crypto]`, as far as a hub that runs as `user` uses them: to validate, if it does, and to
/// sign.
#[must_use]
pub fn certificates(crypto: &CryptoSettings, validates: bool, user: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    if validates {
        match crypto.trust_files().expiries() {
            Ok(expiries) => findings.extend(expiries.iter().flat_map(|expiry| {
                let ends = ends(Kind::Authority, expiry, crypto.expiry_warning, NEW_ONE);
                ends.into_iter().chain(lies_open(&expiry.file))
            })),
            Err(error) => {
                findings.push(Finding::error(
                    Kind::Authority,
                    error,
                    "put there, in PEM, what the authority gives out",
                ));
            }
        }
    }
    for (signer, is_needed) in signers(crypto, user) {
        match signer {
            Ok(signer) => {
                let ends = expiry(signer.expiry(), crypto.expiry_warning);
                let rejected = || validates.then(|| not_believed(crypto, &signer)).flatten();
                findings.extend(ends.or_else(rejected));
            }
            Err(error) => findings.extend(unusable(&error, is_needed)),
        }
    }
    findings
}

/// Others than its owner, and the group that he lets, decide who is trusted.
fn lies_open(file: &Path) -> Option<Finding> {
    // Who can write to its folder can put another file in its place, unless only owners may remove what is there.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_open = |path: &&Path| {
        let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
        mode & 0o002 != 0 && (mode & 0o1000 == 0 || *path == file)
    };
    let open = [Some(file), folder].into_iter().flatten().find(is_open)?.display();
    let what = format_args!("{open} can be written by anybody, who can so decide whom this hub trusts");
    Some(Finding::error(Kind::Authority, what, format_args!("chmod o-w {open}, and look what stands in it")))
}

/// What is to be told of a certificate that the hub signs with.
#[must_use]
pub fn expiry(expiry: &Expiry, warning: Duration) -> Option<Finding> {
    ends(Kind::SigningKey, expiry, warning, RENEW)
}

fn ends(kind: Kind, expiry: &Expiry, warning: Duration, mend: &str) -> Option<Finding> {
    let file = expiry.file.display();
    match expiry.stage(warning) {
        Stage::Valid => None,
        Stage::EndsSoon => {
            let days = expiry.at.duration_since(SystemTime::now()).unwrap_or_default().as_secs() / 86_400;
            Some(Finding::warning(
                kind,
                format_args!("{file} expires in {days} days, at {}", date(expiry.at)),
                mend,
            ))
        }
        Stage::Ended => {
            Some(Finding::error(kind, format_args!("{file} has expired, at {}", date(expiry.at)), mend))
        }
        Stage::NotYet => Some(Finding::error(
            kind,
            format_args!("{file} is not valid before {}", date(expiry.from)),
            "look at this machine's clock, or at what made the file",
        )),
    }
}

fn date(time: SystemTime) -> String {
    Timestamp::try_from(time)
        .map_or_else(|_| "no time that can be told".to_owned(), |time| format!("{time:.0}"))
}

/// The key pairs that `certnames` has for this host, and whether the hub cannot do without.
fn signers(crypto: &CryptoSettings, user: u32) -> impl Iterator<Item = (Result<Signer, SigningError>, bool)> {
    let own = crypto.sign_messages.then_some(crypto.cert_prefix.as_str());
    let others = crypto.services_here().filter(move |service| Some(*service) != own);
    let signer = move |service: &str| crypto.signer_for(user, service);
    own.map(move |own| (signer(own), true)).into_iter().chain(others.map(move |other| (signer(other), false)))
}

/// The same `certnames` may be on all hosts and serve all users: a pair that is not here, or not this user's, is
/// nothing to worry about unless the hub has to sign with it.
fn unusable(error: &SigningError, is_needed: bool) -> Option<Finding> {
    let mend = match error {
        SigningError::Unknown(_) => "or set crypto.sign_messages = false",
        SigningError::Signer(SignerError::Exposed { .. }) => {
            "and get another pair from the authority, for who has read the key can sign as this host"
        }
        SigningError::Signer(SignerError::Foreign { .. }) if !is_needed => return None,
        SigningError::Signer(SignerError::Foreign { .. }) => {
            "or run this as the user who runs the hub; the owner can sign as this host"
        }
        SigningError::Signer(SignerError::Read { source, .. }) => match source.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied if !is_needed => return None,
            _ => "put the pair there for the user who runs the hub, or correct crypto.certnames",
        },
        SigningError::Signer(_) => "put the pair there that is the authority's, in PEM",
    };
    Some(Finding::error(Kind::SigningKey, error, mend))
}

/// Whether those who go by the same authority believe what is signed here.
fn not_believed(crypto: &CryptoSettings, signer: &Signer) -> Option<Finding> {
    let reason = signer.rejected_by(&crypto.trust_files()).ok()??;
    let file = signer.expiry().file.display();
    Some(Finding::error(
        Kind::SigningKey,
        format_args!("nobody believes what is signed with {file}: {reason}"),
        RENEW,
    ))
}

/// A consumer that has the hub sign what it repeats, and would not start for want of a key.
#[must_use]
pub fn signing_relay(crypto: &CryptoSettings, plan: &Plan, user: u32) -> Option<Finding> {
    let signs = |consumer: &&PlannedConsumer| {
        consumer.outbound.iter().any(|outbound| matches!(outbound, Outbound::Signed(_)))
    };
    let name = &plan.consumers.iter().find(signs)?.installed.name;
    let error = crypto.signer_for(user, SIGNING_RELAY).err()?;
    let mend = match &error {
        SigningError::Unknown(_) => "or let it sign nothing",
        // Told of already, as of every pair in `certnames`.
        error if unusable(error, false).is_some() => return None,
        SigningError::Signer(_) => {
            "the hub does not start without: put the pair there for the user who runs it"
        }
    };
    let what = format_args!("consumer {name} is to sign, and there is nothing to sign with: {error}");
    Some(Finding::error(Kind::SigningKey, what, mend))
}

/// The rules of the routing policy that cannot do what they are there for.
#[must_use]
pub fn policy(crypto: &CryptoSettings, plan: &Plan) -> Vec<Finding> {
    let rules: Vec<Pattern> = crypto.routing_policy.keys().map(|rule| Pattern::new(rule)).collect();
    let validating = || plan.consumers.iter().filter(|consumer| consumer.trust == Trust::Signed);
    // What comes by an inbound endpoint is not chosen by its topic.
    let takes_all = validating().any(|consumer| !consumer.inbound.is_empty());
    let topics: Vec<&Pattern> = validating().flat_map(|consumer| &consumer.topics).collect();
    let mut findings: Vec<Finding> = crypto.policy().problems().iter().map(without_effect).collect();
    if !plan.validates() {
        if !rules.is_empty() {
            findings.push(Finding::warning(
                Kind::RoutingPolicy,
                "crypto.routing_policy has no effect: no consumer of this hub validates signatures",
                "set crypto.validate_signatures = true",
            ));
        }
        return findings;
    }
    let unused = rules.iter().filter(|rule| !takes_all && topics.iter().all(|topic| topic.excludes(rule)));
    findings.extend(some(unused).map(|rules| {
        Finding::warning(
            Kind::RoutingPolicy,
            format_args!(
                "crypto.routing_policy: no consumer that validates takes a topic of these rules: {rules}"
            ),
            "look whether they are spelt as topics are",
        )
    }));
    let unlisted = topics.iter().copied().filter(|topic| rules.iter().all(|rule| rule.excludes(topic)));
    findings.extend(some(unlisted).filter(|_| crypto.routing_nitpicky).map(|topics| {
        Finding::warning(
            Kind::RoutingPolicy,
            format_args!("crypto.routing_nitpicky: no message can come for consumers' topics {topics}"),
            "add rules for them to crypto.routing_policy",
        )
    }));
    findings
}

fn without_effect(problem: &PolicyProblem) -> Finding {
    let mend = match problem {
        PolicyProblem::MatchesNothing { .. } => "remove it",
        PolicyProblem::AllowsNobody { .. } => "name certificates in it, or remove it",
    };
    Finding::warning(Kind::RoutingPolicy, format_args!("crypto.{problem}"), mend)
}

/// The patterns in words; the first of them, where there are many.
fn some<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Option<String> {
    const MANY: usize = 5;
    let all: Vec<_> = patterns.map(|pattern| format!("{pattern:?}")).collect();
    let more = all.len().saturating_sub(MANY);
    let words = all.iter().take(MANY).cloned().collect::<Vec<_>>().join(" ");
    match more {
        _ if all.is_empty() => None,
        0 => Some(words),
        more => Some(format!("{words} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    #[test]
    fn what_is_told_of_a_certificate_says_when_and_what_to_do() {
        const DAY: Duration = Duration::from_secs(86_400);
        let now = SystemTime::now();
        let told = |from, at, warning| expiry(&Expiry { file: "hub.crt".into(), from, at }, warning);
        let soon = told(now - 300 * DAY, now + 10 * DAY + DAY / 2, 30 * DAY).unwrap();
        assert_eq!(soon.severity, Severity::Warning);
        assert!(soon.to_string().starts_with("warning: hub.crt expires in 10 days, at 20"), "{soon}");
        assert!(soon.mend.contains("restart the hub"));
        assert_eq!(told(now - 300 * DAY, now + 40 * DAY, 30 * DAY), None);
        assert_eq!(told(now - 300 * DAY, now + 10 * DAY, Duration::ZERO), None);
        let ended = told(now - 300 * DAY, now - DAY, Duration::ZERO).unwrap();
        assert!(ended.severity == Severity::Error && ended.what.contains("has expired, at 20"), "{ended}");
        let early = told(now + DAY, now + 300 * DAY, 30 * DAY).unwrap();
        assert!(
            early.severity == Severity::Error && early.what.contains("is not valid before 20"),
            "{early}"
        );
        assert!(early.mend.contains("clock"));
    }
}
