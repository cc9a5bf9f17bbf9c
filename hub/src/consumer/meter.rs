//! Calls into a consumer's plugin: how long they take, and for how long one has been under way.
//!
//! Written by the threads that call, read by any; none of them waits for another.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use control::Histogram;

/// The upper bounds of the histogram's buckets.
const BOUNDS: [Duration; 13] = [
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// The calls of all threads of a consumer.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    sum_nanos: AtomicU64,
    /// One more than there are bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    hands: Mutex<Vec<Arc<Hand>>>,
}

/// What one thread has in hand.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// When its call began, in nanoseconds since the meter did; 0 if there is none.
    since: AtomicU64,
    /// The messages of its call; 1 if it is about none.
    messages: AtomicU32,
}

/// A call that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// For how long.
    pub time: Duration,
    /// Of how many messages; 1 if it is about none.
    pub messages: u32,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            sum_nanos: AtomicU64::new(0),
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            hands: Mutex::default(),
        }
    }
}

impl Meter {
    /// For one more thread.
    pub(super) fn hand(&self) -> Arc<Hand> {
        let hand = Arc::<Hand>::default();
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        // Threads of before a reload are gone.
        hands.retain(|hand| Arc::strong_count(hand) > 1);
        hands.push(Arc::clone(&hand));
        hand
    }

    /// Makes a call that is about no message.
    pub(super) fn hold<T>(&self, hand: &Hand, call: impl FnOnce() -> T) -> T {
        self.hold_for(hand, 1, call)
    }

    fn hold_for<T>(&self, hand: &Hand, messages: usize, call: impl FnOnce() -> T) -> T {
        hand.messages.store(u32::try_from(messages).unwrap_or(u32::MAX), Relaxed);
        hand.since.store(nanos(self.began.elapsed()).max(1), Relaxed);
        let result = call();
        hand.since.store(0, Relaxed);
        result
    }

    /// Makes a call about so many messages, which says how many of them it dealt with.
    pub(super) fn measure<T>(&self, hand: &Hand, given: usize, call: impl FnOnce() -> (usize, T)) -> T {
        let begun = Instant::now();
        let (messages, result) = self.hold_for(hand, given, call);
        let took = nanos(begun.elapsed());
        self.sum_nanos.fetch_add(took, Relaxed);
        let each = Duration::from_nanos(took / (messages.max(1) as u64));
        self.counts[BOUNDS.partition_point(|bound| *bound < each)].fetch_add(messages as u64, Relaxed);
        result
    }

    /// The calls that are under way.
    pub fn under_way(&self) -> Vec<Call> {
        let hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed();
        let call = |hand: &Arc<Hand>| {
            let since = Some(hand.since.load(Relaxed)).filter(|since| *since > 0)?;
            let time = now.saturating_sub(Duration::from_nanos(since));
            Some(Call { time, messages: hand.messages.load(Relaxed) })
        };
        hands.iter().filter_map(call).collect()
    }

    /// For how long the oldest call that is under way has been.
    pub fn in_hand(&self) -> Option<Duration> {
        self.under_way().iter().map(|call| call.time).max()
    }

    /// How long a message takes; in a batch each counts with the batch's mean.
    pub fn histogram(&self) -> Histogram {
        let counts = self.counts.each_ref().map(|count| count.load(Relaxed));
        Histogram {
            sum_seconds: Duration::from_nanos(self.sum_nanos.load(Relaxed)).as_secs_f64(),
            count: counts.iter().sum(),
            buckets: BOUNDS.iter().map(Duration::as_secs_f64).zip(counts).collect(),
        }
    }
}

/// 500 years' worth at most.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_each_message_with_its_mean_and_all_messages_are_counted() {
        let meter = Meter::default();
        let hand = meter.hand();
        meter.measure(&hand, 100, || (100, ()));
        meter.measure(&hand, 1, || (0, ()));
        let Histogram { count, buckets, sum_seconds } = meter.histogram();
        assert_eq!((count, buckets.iter().map(|(_, count)| count).sum::<u64>()), (100, 100));
        assert!(sum_seconds >= 0.0 && buckets.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn the_oldest_call_under_way_is_told_and_none_when_all_are_back() {
        let meter = Meter::default();
        let (first, second) = (meter.hand(), meter.hand());
        assert_eq!(meter.in_hand(), None);
        meter.measure(&first, 7, || {
            let begun = meter.began.elapsed();
            while meter.began.elapsed() < begun + Duration::from_micros(50) {}
            meter.measure(&second, 1, || {
                assert!(meter.in_hand().is_some_and(|time| time >= Duration::from_micros(50)));
                assert_eq!(meter.under_way().iter().map(|call| call.messages).collect::<Vec<_>>(), [7, 1]);
                (1, ())
            });
            (1, ())
        });
        assert_eq!(meter.in_hand(), None);
    }
}
