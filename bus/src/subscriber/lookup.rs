//! When a name is looked up: pure bookkeeping.

use std::time::{Duration, Instant};

/// The wait until a name is looked up again that was not found; it doubles up to the second.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The lookups of one name.
pub(super) struct Lookup {
    state: State,
    /// Since one had success.
    failures: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Due(Instant),
    UnderWay,
}

impl Lookup {
    /// None is needed.
    pub(super) fn idle() -> Self {
        Self { state: State::Idle, failures: 0 }
    }

    pub(super) fn at(when: Instant) -> Self {
        Self { state: State::Due(when), failures: 0 }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Idle | State::UnderWay => None,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.state == State::UnderWay
    }

    /// Whether it is to be done now; then it counts as under way.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.state = State::UnderWay;
        }
        is_due
    }

    /// The answer came, and holds until something else happens.
    pub(super) fn rest(&mut self) {
        self.state = State::Idle;
    }

    /// The answer came, and holds so long.
    pub(super) fn rest_for(&mut self, time: Duration, now: Instant) {
        *self = Self::at(now + time);
    }

    /// Another one is needed, because this one failed or did not help: how long until then.
    ///
    /// The waits double, and are spread by a quarter so that many names do not beat in step.
    pub(super) fn retry(&mut self, now: Instant) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT);
        let wait = wait.mul_f64(0.75 + 0.5 * fastrand::f64());
        self.failures += 1;
        self.state = State::Due(now + wait);
        wait
    }

    /// What was found is good: none is due, and waits begin anew.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        if self.state != State::UnderWay {
            self.state = State::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_begin_anew_after_a_success() {
        let now = Instant::now();
        let mut lookup = Lookup::at(now);
        let waits: Vec<_> = (0..40).map(|_| lookup.retry(now)).collect();
        assert!(waits[0] < Duration::from_millis(626));
        assert!(waits[3] > waits[0] * 2);
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(75)));
        assert!(waits[39] >= Duration::from_secs(45));
        lookup.succeeded();
        assert!(lookup.retry(now) < Duration::from_millis(626));
    }

    #[test]
    fn a_lookup_is_taken_once_and_not_before_it_is_due() {
        let now = Instant::now();
        let mut lookup = Lookup::at(now + Duration::from_secs(1));
        assert!(!lookup.take(now));
        assert!(lookup.take(now + Duration::from_secs(1)));
        assert!(!lookup.take(now + Duration::from_secs(2)));
    }
}
