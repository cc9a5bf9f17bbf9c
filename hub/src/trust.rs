//! Whose word messages are, and an account of those that are to be distrusted: each is counted by endpoint and rule, and
//! logged at a bounded rate.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use bus::EndpointName;
use crypto::{AnchorError, Validator, Verdict};
use journal::Refusal;
use message::Envelope;

use crate::throttle::{Throttle, cut};

/// Judges messages, for intake and for the consumers that come to what nobody had checked.
pub struct Judge {
    /// None as long as nobody validates; and since when.
    validator: RwLock<(Option<Arc<Validator>>, SystemTime)>,
    tally: Arc<TrustTally>,
    /// By endpoint and rule: no flood keeps another out of the log.
    complaints: Mutex<HashMap<(EndpointName, &'static str), Throttle>>,
}

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
    pub fn new(validator: Option<Validator>) -> Self {
        let validator = RwLock::new((validator.map(Arc::new), SystemTime::now()));
        Self { validator, tally: Arc::default(), complaints: Mutex::default() }
    }

    /// Goes by another one from now on.
    pub fn adopt(&self, validator: Option<Validator>) {
        let mut current = self.validator.write().unwrap_or_else(PoisonError::into_inner);
        *current = (validator.map(Arc::new), SystemTime::now());
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
        self.validator.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// When a message must have come so that what was noted of it then still counts: since the files and the policy are as
    /// they are now, in this run of the hub. And not in what is the future, for then the clock was set back.
    #[must_use]
    pub fn noted(&self) -> RangeInclusive<SystemTime> {
        let (validator, since) = self.validator.read().unwrap_or_else(PoisonError::into_inner).clone();
        let files = validator.map_or(since, |validator| validator.since());
        since.max(files)..=SystemTime::now()
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
