//! The clock on the wall, held against one that nobody sets: by how much it has jumped, and since which message.
//!
//! Times in the journal go by the wall, because they outlast the process. Whoever makes a length of one asks here what to
//! take off.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Unit};
use journal::Offset;
use rustix::time::{ClockId, clock_gettime};

/// A smaller step is what time servers do every day.
const NOTICEABLE: SignedDuration = SignedDuration::from_secs(5);

/// For so long a jump is worth a warning, and nothing is removed for its age: somebody may set the clock right.
const RECENT: Duration = Duration::from_secs(3600);

/// Both clocks are read within this time, or again: the thread may have been stopped in between.
const AT_ONCE: Duration = Duration::from_secs(1);

/// As many jumps are remembered.
const MOST: usize = 100;

/// The hub's clock.
#[derive(Debug)]
pub struct Clock {
    /// When the hub was started.
    pub started: SystemTime,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The wall's clock, and how long the machine had been up, when last looked at.
    last: (SystemTime, Duration),
    jumps: VecDeque<Jump>,
    count: u64,
}

/// The clock was set, or the machine it is borrowed from was.
#[derive(Debug, Clone, Copy)]
pub struct Jump {
    /// By so much, forward or back.
    by: SignedDuration,
    /// What it said then.
    pub to: SystemTime,
    at: Instant,
    /// Messages from here on have come since.
    next: Offset,
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.abs().round(Unit::Second).unwrap_or(self.by.abs());
        write!(f, "{by:#} {}", if self.by.is_negative() { "back" } else { "forward" })
    }
}

impl Default for Clock {
    fn default() -> Self {
        let last = read();
        let state = State { last, jumps: VecDeque::new(), count: 0 };
        Self { started: last.0, began: Instant::now(), state: Mutex::new(state) }
    }
}

impl Clock {
    /// What time it is. A jump is noted and logged: what came before `next` came before it.
    pub fn look(&self, next: Offset) -> SystemTime {
        let mut state = self.lock();
        let (wall, up) = read();
        let by = jumped(state.last, (wall, up));
        state.last = (wall, up);
        if by.abs() >= NOTICEABLE {
            let jump = Jump { by, to: wall, at: Instant::now(), next };
            state.note(jump);
            tracing::warn!(
                "the clock has jumped {jump}: times before and after do not go together; see that it is right"
            );
        }
        wall
    }

    /// What time it would be, had the clock never been set since the hub's start.
    #[must_use]
    pub fn steady(&self) -> SystemTime {
        self.started + self.began.elapsed()
    }

    /// For how long the hub has run.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// By how much it has jumped since a message came; 0 for what came before the hub's start.
    #[must_use]
    pub fn moved_since(&self, message: Offset) -> SignedDuration {
        let state = self.lock();
        let since = state.jumps.iter().filter(|jump| jump.next > message);
        since.fold(SignedDuration::ZERO, |sum, jump| sum.saturating_add(jump.by))
    }

    /// How often it has jumped since the hub's start.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.lock().count
    }

    /// The last jump, if that is not long ago.
    #[must_use]
    pub fn recent_jump(&self) -> Option<Jump> {
        self.lock().jumps.back().filter(|jump| jump.at.elapsed() < RECENT).copied()
    }

    /// One that has just jumped, for tests of what goes by it.
    #[cfg(test)]
    pub(crate) fn that_has_jumped(by: SignedDuration) -> Self {
        let clock = Self::default();
        clock.jump(by);
        clock
    }

    /// It jumps, as far as anybody can tell.
    #[cfg(test)]
    pub(crate) fn jump(&self, by: SignedDuration) {
        let (to, next) = (SystemTime::now(), Offset(0));
        self.lock().note(Jump { by, to, at: Instant::now(), next });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock is left half-done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, jump: Jump) {
        self.count += 1;
        if self.jumps.len() == MOST {
            self.jumps.pop_front();
        }
        self.jumps.push_back(jump);
    }
}

/// The wall's clock and how long the machine has been up, sleep included.
fn read() -> (SystemTime, Duration) {
    let up = || Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
    let mut before = up();
    loop {
        let (wall, after) = (SystemTime::now(), up());
        if after.saturating_sub(before) < AT_ONCE {
            return (wall, after);
        }
        before = after;
    }
}

/// By how much more the wall's clock has moved than time has passed.
fn jumped(from: (SystemTime, Duration), to: (SystemTime, Duration)) -> SignedDuration {
    let passed = to.1.saturating_sub(from.1);
    let signed = |time: Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    let moved = to.0.duration_since(from.0).map_or_else(|back| -signed(back.duration()), signed);
    moved.saturating_sub(signed(passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_jump_is_what_the_wall_has_moved_more_or_less_than_time_has_passed() {
        let up = Duration::from_secs;
        assert_eq!(jumped((at(100), up(1)), (at(110), up(11))), SignedDuration::ZERO);
        assert_eq!(jumped((at(100), up(1)), (at(210), up(11))), SignedDuration::from_secs(100));
        assert_eq!(jumped((at(100), up(1)), (at(10), up(11))), SignedDuration::from_secs(-100));
    }

    #[test]
    fn a_message_is_as_old_as_the_jumps_since_it_came_let_it_be() {
        let clock = Clock::default();
        for (by, next) in [(100, 10), (-30, 20)] {
            let by = SignedDuration::from_secs(by);
            clock.lock().note(Jump { by, to: at(0), at: Instant::now(), next: Offset(next) });
        }
        let moved = [0, 9, 10, 19, 20].map(|message| clock.moved_since(Offset(message)).as_secs());
        assert_eq!(moved, [70, 70, -30, -30, 0]);
        assert_eq!(clock.jumps(), 2);
        assert_eq!(clock.recent_jump().unwrap().to_string(), "30s back");
    }

    #[test]
    fn a_clock_that_goes_as_it_should_has_not_jumped() {
        let clock = Clock::default();
        for n in 0..1000 {
            clock.look(Offset(n));
        }
        assert_eq!((clock.jumps(), clock.moved_since(Offset(0))), (0, SignedDuration::ZERO));
    }
}
