//! The words for the ways in which a message can end without being finished: one home for them, with a
//! counter for each, so that nothing is dropped without a reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every reason, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it in logs and, later, metrics.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

reasons! {
    /// Why a message reached no consumer at all.
    Rejected {
        /// It did not have exactly two frames.
        Frames = "frames",
        /// The topic frame is empty or no UTF-8.
        Topic = "topic",
        /// The body is no UTF-8, no JSON, or no JSON object.
        Body = "body",
        /// The body is larger than `hub.max_body_bytes`.
        TooLarge = "too_large",
        /// Its `msg_id` came within `journal.dedup_window` before; not a fault.
        Duplicate = "duplicate",
        /// No consumer's topics match; not a fault. It is in the journal.
        Unmatched = "unmatched",
        /// Memory was full of messages that a consumer had not dealt with (`journal.when_full = "drop_newest"`).
        MemoryFull = "memory_full",
        /// The journal could not be written, and the hub stopped before it could.
        NotStored = "not_stored",
    }
}

reasons! {
    /// Why a message that was meant for a consumer was not finished by it.
    Dropped {
        /// The plugin said `Failure::drop`.
        ByPlugin = "by_plugin",
        /// It failed `max_attempts` times.
        DeadLettered = "dead_lettered",
        /// It was no longer in the journal.
        Lost = "lost",
    }
}

/// One counter for each reason.
#[derive(Debug)]
pub struct Counters<const N: usize>([AtomicU64; N]);

/// The counters of [`Rejected`].
pub type RejectedCounters = Counters<{ Rejected::ALL.len() }>;
/// The counters of [`Dropped`].
pub type DroppedCounters = Counters<{ Dropped::ALL.len() }>;

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

macro_rules! counted {
    ($reason:ident, $counters:ident) => {
        impl $counters {
            /// Counts `n` messages that ended so.
            pub fn add(&self, reason: $reason, n: u64) {
                self.0[reason as usize].fetch_add(n, Relaxed);
            }

            /// How many messages ended so.
            pub fn get(&self, reason: $reason) -> u64 {
                self.0[reason as usize].load(Relaxed)
            }

            /// How many messages ended in any of these ways.
            pub fn total(&self) -> u64 {
                $reason::ALL.iter().map(|reason| self.get(*reason)).sum()
            }

            /// `word=count` for each reason that occurred; `none` if none did.
            pub fn summary(&self) -> String {
                let occurred = $reason::ALL.iter().filter(|reason| self.get(**reason) > 0);
                let words: Vec<_> =
                    occurred.map(|reason| format!("{}={}", reason.word(), self.get(*reason))).collect();
                if words.is_empty() { "none".to_owned() } else { words.join(" ") }
            }
        }
    };
}
counted!(Rejected, RejectedCounters);
counted!(Dropped, DroppedCounters);
