//! Whether a consumer that validates may have a message: by what was noted when it came or, if nobody wanted to know then
//! or that is no longer sure, by what is found out now.

use std::sync::Arc;

use crypto::Verdict;
use journal::{Ending, Entry, Offset};
use plugin_api::Verdict as Noted;

use super::Consumer;
use crate::mark;
use crate::trust::Judge;

/// Whether a consumer may have a message.
#[derive(Debug)]
pub(super) enum Admission {
    /// It may, and what is known of the signature is noted with the message.
    AsNoted,
    /// It may: the signature is valid, as is found out now, and of this signer.
    Signed(Arc<str>),
    /// It may not; that is accounted for.
    Refused,
}

/// What a consumer may have, as it is known at one moment.
pub(super) struct Gate<'c> {
    consumer: &'c Consumer,
    /// From which message on notes count, if any do; `None` for a consumer that does not validate.
    judge: Option<(&'c Judge, Option<Offset>)>,
}

impl Consumer {
    /// What it may have now.
    pub(super) fn gate(&self) -> Gate<'_> {
        Gate { consumer: self, judge: self.judge.as_deref().map(|judge| (judge, judge.noted())) }
    }
}

impl Gate<'_> {
    /// Whether the consumer may have this message.
    pub(super) fn admit(&self, entry: &Entry<'_>) -> Admission {
        let Some((judge, first)) = self.judge else { return Admission::AsNoted };
        let noted = mark::verdict(entry).0;
        match (noted, first.is_some_and(|first| entry.offset() >= first)) {
            (Noted::Valid, true) => return Admission::AsNoted,
            (Noted::Invalid, true) | (Noted::Unsigned, _) => return Admission::Refused,
            _ => {}
        }
        match judge.verdict(entry.topic(), entry.body()) {
            Some(Verdict::Valid { cn }) => Admission::Signed(cn),
            // As it was recorded when it came.
            Some(Verdict::Invalid { .. }) if noted == Noted::Invalid => Admission::Refused,
            Some(verdict) => {
                let endpoint = entry.endpoint().into();
                let refusal = judge.refusal(&endpoint, entry.topic(), entry.body(), &verdict);
                if let Some(refusal) = refusal {
                    self.consumer.record(entry.offset(), Ending::Rejected(refusal));
                }
                Admission::Refused
            }
            // Intake lets nothing in that is no message.
            None => Admission::Refused,
        }
    }
}
