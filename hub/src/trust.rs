//! Whose word messages are, and an account of those that are to be distrusted: each is counted by endpoint and rule, and
//! logged at a bounded rate.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bus::EndpointName;
use crypto::{AnchorError, Basis, Validator, Verdict};
use journal::{Offset, Refusal};
use message::Envelope;

use crate::clock::Clock;
use crate::throttle::{Throttle, cut};

/// Judges messages, for intake and for the consumers that come to what nobody had checked.
pub struct Judge {
    /// None as long as nobody validates.
    validator: RwLock<Option<Arc<Validator>>>,
    clock: Arc<Clock>,
    /// What intake judges by, and since which message.
    noted: Mutex<Option<(Grounds, Offset)>>,
    tally: Arc<TrustTally>,
    /// By endpoint and rule: no flood keeps another out of the log.
    complaints: Mutex<HashMap<(EndpointName, &'static str), Throttle>>,
}

/// What a verdict holds by: what was read from the files, and a clock that has jumped so often.
type Grounds = (Basis, u64);

/// The messages that cannot be trusted since the hub started, by endpoint and rule. One that nobody had checked when it came
/// is counted by each consumer that comes to it.
#[derive(Debug, Default)]
pub struct TrustTally(Mutex<BTreeMap<(EndpointName, &'static str), u64>>);

impl TrustTally {
    fn add(&self, endpoint: &EndpointName, rule: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((endpoint.clone(), rule)).or_default() += 1;
    }

    /// Each endpoint and rule that occurred, with its count.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<(EndpointName, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `endpoint:rule=count` for each that occurred; nothing if none did.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let counts = self.snapshot();
        let words: Vec<_> =
            counts.iter().map(|((endpoint, rule), count)| format!("{endpoint}:{rule}={count}")).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// The rule for a message without a signature; the others are [`crypto::Reason::rule`].
const UNSIGNED: &str = "unsigned";

impl Judge {
    /// Goes by this validator.
    #[must_use]
    pub fn new(validator: Option<Validator>, clock: Arc<Clock>) -> Self {
        let validator = RwLock::new(validator.map(Arc::new));
        let (noted, tally, complaints) = Default::default();
        Self { validator, clock, noted, tally, complaints }
    }

    /// Goes by another one from now on.
    pub fn adopt(&self, validator: Option<Validator>) {
        *self.validator.write().unwrap_or_else(PoisonError::into_inner) = validator.map(Arc::new);
    }

    /// Whether anybody validates.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.validator().is_some()
    }

    /// Why it trusts nothing now, if that is so and anybody validates.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<AnchorError>> {
        self.validator()?.trouble()
    }

    fn validator(&self) -> Option<Arc<Validator>> {
        self.validator.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn grounds(&self) -> Option<Grounds> {
        Some((self.validator()?.basis(), self.clock.jumps()))
    }

    /// Intake is about to judge what will be in the journal from `next` on, and to note it there. It tells that before each
    /// batch: what changes while it judges one makes the notes of that batch void, and does not make them new.
    pub fn begin(&self, next: Offset) {
        let grounds = self.grounds();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.as_ref().map(|(of, _)| of) != grounds.as_ref() {
            *noted = grounds.map(|grounds| (grounds, next));
        }
    }

    /// From which message on what is noted still counts: this run of the hub has judged all from there by the files, the
    /// policy and the clock that it has now. Nothing counts if intake has not judged by these yet.
    #[must_use]
    pub fn noted(&self) -> Option<Offset> {
        let grounds = self.grounds()?;
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.as_ref().filter(|(of, _)| *of == grounds).map(|(_, first)| *first)
    }

    /// What it has counted.
    #[must_use]
    pub fn tally(&self) -> Arc<TrustTally> {
        Arc::clone(&self.tally)
    }

    /// What is found out about a message; nothing if it is none, or nobody validates.
    #[must_use]
    pub fn verdict(&self, topic: &str, body: &[u8]) -> Option<Verdict> {
        let (validator, envelope) = (self.validator()?, Envelope::parse(body).ok()?);
        Some(validator.validate(topic, &envelope))
    }

    /// What is to be recorded of a message that is not to be trusted. It is counted and logged.
    pub fn refusal(
        &self,
        endpoint: &EndpointName,
        topic: &str,
        body: &[u8],
        verdict: &Verdict,
    ) -> Option<Refusal> {
        let (rule, reason, cn) = match verdict {
            Verdict::Valid { .. } => return None,
            Verdict::Unsigned => (UNSIGNED, "the message is not signed".to_owned(), None),
            Verdict::Invalid { reason, cn } => (reason.rule(), reason.to_string(), cn.as_deref()),
        };
        self.tally.add(endpoint, rule);
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = complaints.entry((endpoint.clone(), rule)).or_default().pass() {
            let msg_id = Envelope::parse(body).ok().and_then(|envelope| envelope.msg_id());
            tracing::warn!(
                %endpoint, topic = cut(topic), msg_id = msg_id.as_deref().map(cut), cn, rule, reason, suppressed,
                "message not trusted: only consumers that do not validate get it"
            );
        }
        Some(Refusal { endpoint: endpoint.as_str().to_owned(), reason: format!("{rule}: {reason}") })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crypto::{Development, RoutingPolicy, TrustFiles, make_development_ca};
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn what_was_noted_counts_from_where_it_rests_on_what_holds_now() {
        let folder = tempfile::tempdir().unwrap();
        let make = || {
            let how = Development { overwrite: true, ..Development::default() };
            let made = make_development_ca(folder.path(), &how).unwrap();
            TrustFiles { ca: made.ca, crl: Some(made.crl) }
        };
        let files = make();
        let validator =
            || Some(Validator::with_recheck(files.clone(), RoutingPolicy::default(), Duration::ZERO));
        let clock = Arc::<Clock>::default();
        let judge = Judge::new(None, Arc::clone(&clock));
        judge.begin(Offset(0));
        assert_eq!(judge.noted(), None, "nobody validates");
        let changes: [(&str, &dyn Fn()); 5] = [
            ("somebody validates", &|| judge.adopt(validator())),
            ("another policy", &|| judge.adopt(validator())),
            ("another authority", &|| drop(make())),
            ("the clock put forward", &|| clock.jump(SignedDuration::from_hours(1))),
            ("and back", &|| clock.jump(SignedDuration::from_hours(-1))),
        ];
        for ((why, change), first) in changes.into_iter().zip([10, 20, 30, 40, 50].map(Offset)) {
            change();
            assert_eq!(judge.noted(), None, "{why}: what was noted before");
            judge.begin(first);
            judge.begin(Offset(first.0 + 5));
            assert_eq!(judge.noted(), Some(first), "{why}");
        }
    }
}
