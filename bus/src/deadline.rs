//! How long there is still to wait.

use std::time::{Duration, Instant};

/// The end of a wait, which a duration too long for the clock puts off for ever.
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// The time left; `None` once there is none.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        (!left.is_zero()).then_some(left)
    }
}
