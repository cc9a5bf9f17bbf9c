//! Whether a consumer that validates may have a message: by what was noted when it came or, if nobody wanted to know then,
//! by what is found out now.

use std::sync::Arc;

use crypto::Verdict;
use journal::{Ending, Entry};

use super::Consumer;
use crate::mark;

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

impl Consumer {
    /// Whether it may have this message.
    pub(super) fn admit(&self, entry: &Entry<'_>) -> Admission {
        let Some(judge) = &self.judge else { return Admission::AsNoted };
        match mark::verdict(entry).0 {
            plugin_api::Verdict::Valid => return Admission::AsNoted,
            plugin_api::Verdict::NotChecked => {}
            _ => return Admission::Refused,
        }
        match judge.verdict(entry.topic(), entry.body()) {
            Some(Verdict::Valid { cn }) => Admission::Signed(cn),
            Some(verdict) => {
                let endpoint = entry.endpoint().into();
                let refusal = judge.refusal(&endpoint, entry.topic(), entry.body(), &verdict);
                if let Some(refusal) = refusal {
                    self.record(entry.offset(), Ending::Rejected(refusal));
                }
                Admission::Refused
            }
            // Intake lets nothing in that is no message.
            None => Admission::Refused,
        }
    }
}
