//! Signatures: each checked once, when its message comes, by a small pool of threads; what was found out is noted with the
//! message, and consumers go by it. Order is kept, because a batch is checked as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bus::EndpointName;
use crypto::{Validator, Verdict};
use journal::Refusal;
use message::Envelope;
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::Accepted;
use crate::throttle::Throttle;

/// As many threads check signatures at most: one does some 30,000 a second.
const THREADS: usize = 4;

/// Checks signatures.
pub struct Verifier {
    validator: Arc<Validator>,
    pool: ThreadPool,
    tally: Arc<TrustTally>,
    complaints: HashMap<&'static str, Throttle>,
}

/// The messages that cannot be trusted since the hub started, by endpoint and rule.
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

impl Verifier {
    /// Goes by this validator.
    ///
    /// # Errors
    /// The threads cannot be had.
    pub fn new(validator: Arc<Validator>, tally: Arc<TrustTally>) -> Result<Self, ThreadPoolBuildError> {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS));
        let named = ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("verify {n}"));
        Ok(Self { validator, pool: named.build()?, tally, complaints: HashMap::new() })
    }

    /// Finds out about those that somebody wants only with a signature.
    pub(super) fn verify(&self, messages: &mut [Accepted]) {
        let verify = |message: &mut Accepted| {
            if message.to_verify {
                message.verdict = verdict(&self.validator, &message.topic, &message.body);
            }
        };
        match messages {
            [one] => verify(one),
            many => self.pool.install(|| many.par_iter_mut().for_each(verify)),
        }
    }

    /// What is to be recorded of a message that is not to be trusted. It is counted, and logged at a bounded rate.
    pub(super) fn refusal(&mut self, message: &Accepted) -> Option<Refusal> {
        let (rule, reason, cn) = match message.verdict.as_ref()? {
            Verdict::Valid { .. } => return None,
            Verdict::Unsigned => (UNSIGNED, "the message is not signed".to_owned(), None),
            Verdict::Invalid { reason, cn } => (reason.rule(), reason.to_string(), cn.as_deref()),
        };
        self.tally.add(&message.endpoint, rule);
        if let Some(suppressed) = self.complaints.entry(rule).or_default().pass() {
            let msg_id = Envelope::parse(&message.body).ok().and_then(|envelope| envelope.msg_id());
            tracing::warn!(
                endpoint = %message.endpoint, topic = &*message.topic, msg_id = msg_id.as_deref(), cn, rule, reason,
                suppressed, "message not trusted: only consumers that do not validate get it"
            );
        }
        Some(Refusal { endpoint: message.endpoint.as_str().to_owned(), reason: format!("{rule}: {reason}") })
    }
}

/// What is found out about a message; nothing if it is none.
pub fn verdict(validator: &Validator, topic: &str, body: &[u8]) -> Option<Verdict> {
    let envelope = Envelope::parse(body).ok()?;
    Some(validator.validate(topic, &envelope))
}
