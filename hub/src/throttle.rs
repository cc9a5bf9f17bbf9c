//! Keeps what comes off the bus from flooding the log: of equal complaints, what is suppressed is counted and said; of a
//! text, only the beginning is said.

use std::time::{Duration, Instant};

/// How often one kind of complaint is logged at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets the first complaint pass, and then one an interval.
#[derive(Debug, Default)]
pub struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Whether to log now; if so, how many were suppressed since the last time.
    pub fn pass(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// As many characters of what a sender wrote are logged: he may have made it as long as a message.
const LONGEST_SHOWN: usize = 100;

/// The beginning of what a sender wrote.
#[must_use]
pub fn cut(text: &str) -> &str {
    text.char_indices().nth(LONGEST_SHOWN).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_and_what_is_suppressed_is_counted() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.pass(), Some(0));
        assert_eq!([throttle.pass(), throttle.pass()], [None, None]);
        throttle.last = throttle.last.and_then(|last| last.checked_sub(INTERVAL));
        assert_eq!(throttle.pass(), Some(2));
    }
}
