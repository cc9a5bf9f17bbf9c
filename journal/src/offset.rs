//! The place of a message in the journal, and how times are written.

use std::fmt;
use std::time::{Duration, SystemTime};

/// The place of a message in the journal: the first one ever received is 0, each next one is 1 more.
///
/// An offset names one message for ever; damage and retention leave holes, and nothing is renumbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// Of the message after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Microseconds since 1970, as times are written. What was before that becomes 0.
pub(crate) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The time of [`micros`].
pub(crate) fn time(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros)).unwrap_or(SystemTime::UNIX_EPOCH)
}
