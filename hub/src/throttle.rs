//! Keeps a flood of equal complaints from flooding the log: what is suppressed is counted and said.

use std::time::{Duration, Instant};

/// How often one kind of complaint is logged at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets the first complaint pass, and then one an interval.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Whether to log now; if so, how many were suppressed since the last time.
    pub(crate) fn pass(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.suppressed))
    }
}
