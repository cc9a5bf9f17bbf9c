//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double up to a limit, each shortened at random by up to a half, so that consumers of the same broken
/// service don't come back to it all at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// The wait before the second attempt.
    pub(super) min: Duration,
    /// The longest wait.
    pub(super) max: Duration,
}

impl Backoff {
    /// The wait after so many failed attempts.
    pub(super) fn after(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.checked_pow(attempts.saturating_sub(1)).and_then(|by| self.min.checked_mul(by));
        doubled.unwrap_or(self.max).min(self.max).mul_f64(1.0 - fastrand::f64() / 2.0)
    }
}

impl Default for Backoff {
    /// For what is not a message's attempt.
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_secs(60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_lose_at_most_a_half() {
        let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(6) };
        for (attempts, whole) in [(1, 1), (2, 2), (3, 4), (4, 6), (1000, 6)] {
            let wait = backoff.after(attempts);
            assert!(wait <= Duration::from_secs(whole), "{wait:?}");
            assert!(wait >= Duration::from_secs(whole) / 2, "{wait:?}");
        }
    }
}
