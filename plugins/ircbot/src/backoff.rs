//! How long to wait before another attempt.

use std::time::{Duration, Instant};

/// The first wait, unless the longest is shorter.
const SHORTEST: Duration = Duration::from_secs(1);

/// Waits that double up to a limit, and begin anew after a success that lasted as long as the longest.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    succeeded: Option<Instant>,
}

impl Backoff {
    pub(crate) fn new(longest: Duration) -> Self {
        Self { next: SHORTEST.min(longest), longest, succeeded: None }
    }

    /// From now on, things are as they should be.
    pub(crate) fn succeeded(&mut self) {
        self.succeeded = Some(Instant::now());
    }

    /// The wait after a failure.
    pub(crate) fn next(&mut self) -> Duration {
        if self.succeeded.take().is_some_and(|at| at.elapsed() >= self.longest) {
            self.next = SHORTEST.min(self.longest);
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let waits: Vec<_> = std::iter::repeat_with(|| backoff.next().as_secs()).take(5).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        assert_eq!(Backoff::new(Duration::from_millis(100)).next(), Duration::from_millis(100));
    }

    #[test]
    fn only_a_success_that_lasts_ends_the_doubling() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        backoff.next();
        backoff.succeeded();
        assert_eq!(backoff.next(), SHORTEST * 2);
        backoff.succeeded = Instant::now().checked_sub(Duration::from_secs(61));
        assert_eq!(backoff.next(), SHORTEST);
    }
}
