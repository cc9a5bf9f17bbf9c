//! Messages between the bus and the commands: when there is a run, and for which.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use exec::Message;

/// With as many bytes it is full, however few the messages are.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Messages that wait for a command.
#[derive(Debug)]
pub(super) struct Queue {
    wait_for: Duration,
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Message>,
    bytes: usize,
    /// When the last one came.
    newest: Instant,
    end: Option<End>,
    /// So many messages came or waited when nothing more was run for.
    left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// No more comes; what is there is run for.
    Last,
    /// Nothing more is run for.
    Now,
}

impl Queue {
    /// One that gives each message by itself, or all together when none has come for `wait_for` or it is full.
    pub(super) fn new(wait_for: Duration, most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, newest: Instant::now(), end: None, left: 0 };
        Self { wait_for, most, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Puts one in, and waits for room; false if nothing more is run for.
    pub(super) fn push(&self, message: Message) -> bool {
        let mut state = self.lock();
        while state.end.is_none() && self.is_full(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.end.is_some() {
            state.left += 1;
            return false;
        }
        state.bytes += message.body.len();
        state.waiting.push_back(message);
        state.newest = Instant::now();
        self.changed.notify_all();
        true
    }

    /// What the next run is for; waits for it. Nothing at the end.
    pub(super) fn next(&self) -> Option<Vec<Message>> {
        let mut state = self.lock();
        loop {
            if state.end == Some(End::Now) {
                return None;
            }
            let quiet = state.newest.elapsed();
            state = match (state.waiting.is_empty(), state.end) {
                (true, Some(_)) => return None,
                (true, None) => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                (false, None) if quiet < self.wait_for && !self.is_full(&state) => {
                    let left = self.wait_for - quiet;
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                (false, _) => return Some(self.take(&mut state)),
            };
        }
    }

    fn take(&self, state: &mut State) -> Vec<Message> {
        let count = if self.wait_for.is_zero() { 1 } else { state.waiting.len() };
        let taken: Vec<_> = state.waiting.drain(..count).collect();
        state.bytes -= taken.iter().map(|message| message.body.len()).sum::<usize>();
        self.changed.notify_all();
        taken
    }

    /// No more comes. What waits is run for at once.
    pub(super) fn finish(&self) {
        self.lock().end.get_or_insert(End::Last);
        self.changed.notify_all();
    }

    /// Nothing more is run for.
    pub(super) fn discard(&self) {
        let mut state = self.lock();
        state.end = Some(End::Now);
        state.bytes = 0;
        state.left += state.waiting.drain(..).count();
        self.changed.notify_all();
    }

    /// For how many messages nothing was run.
    pub(super) fn left(&self) -> usize {
        self.lock().left
    }

    fn is_full(&self, state: &State) -> bool {
        state.waiting.len() >= self.most || state.bytes >= MOST_BYTES
    }

    /// Nothing under the lock is left half-done by a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn message(n: usize) -> Message {
        let (topic, endpoint) = (n.to_string(), "e".to_owned());
        Message { topic, endpoint, msg_id: None, timestamp: None, body: b"{}".to_vec() }
    }

    fn topics(run: Option<Vec<Message>>) -> Vec<String> {
        run.unwrap_or_default().into_iter().map(|message| message.topic).collect()
    }

    #[test]
    fn without_a_wait_each_message_is_a_run() {
        let queue = Queue::new(Duration::ZERO, 10);
        assert!(queue.push(message(1)) && queue.push(message(2)));
        queue.finish();
        assert!(!queue.push(message(3)));
        assert_eq!(
            (topics(queue.next()), topics(queue.next())),
            (vec!["1".to_owned()], vec!["2".to_owned()])
        );
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn with_a_wait_all_are_one_run_when_none_comes_any_more() {
        let queue = Queue::new(Duration::from_millis(1), 10);
        assert!(queue.push(message(1)) && queue.push(message(2)));
        assert_eq!(topics(queue.next()), ["1", "2"]);
    }

    #[test]
    fn a_full_queue_waits_no_longer_and_takes_in_no_more() {
        let queue = Queue::new(LONG, 2);
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| (1..=3).all(|n| queue.push(message(n))));
            assert_eq!(topics(queue.next()), ["1", "2"]);
            assert!(pushed.join().unwrap());
        });
        queue.finish();
        assert_eq!(topics(queue.next()), ["3"]);
    }

    #[test]
    fn what_is_discarded_is_counted_and_who_waits_for_room_comes_back() {
        let queue = Queue::new(LONG, 2);
        assert!(queue.push(message(1)) && queue.push(message(2)));
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| queue.push(message(3)));
            queue.discard();
            assert!(!pushed.join().unwrap());
        });
        assert_eq!((queue.next(), queue.left()), (None, 3));
    }
}
