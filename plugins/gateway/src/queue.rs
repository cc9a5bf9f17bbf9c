//! What waits for one subscriber, within bounds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::subscriptions::Subscriptions;
use crate::zmtp::Outgoing;

/// So much is taken at once to be written, or one message.
const CHUNK: usize = 64;
const CHUNK_BYTES: usize = 256 * 1024;

/// What waits for one subscriber.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: usize,
    bytes: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    wanted: Subscriptions,
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// The answer to its last ping. Earlier ones that were not sent yet say nothing more.
    answer: Option<Bytes>,
    /// Messages of the last chunk that the connection has not taken whole.
    in_hand: usize,
    closing: bool,
}

/// How many messages found no room, by the limit that was reached.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) by_messages: u64,
    pub(crate) by_bytes: u64,
    /// There is no memory for those who are behind.
    pub(crate) by_memory: u64,
}

impl Queue {
    /// A queue of at most so many messages, and so many bytes.
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes, state: Mutex::default(), changed: Notify::new() }
    }

    /// Puts in what the subscriber wants of these, and says how many find no room. If memory is full, that is all of them,
    /// unless the subscriber has taken all that was before.
    pub(crate) fn offer(&self, batch: &[Outgoing], memory_is_full: bool) -> LeftOut {
        let mut left_out = LeftOut::default();
        let mut state = self.lock();
        let state = &mut *state;
        let has_no_memory = memory_is_full && !state.waiting.is_empty();
        for message in batch.iter().filter(|message| state.wanted.want(message.topic())) {
            let bytes = state.bytes + message.frames().len();
            if has_no_memory {
                left_out.by_memory += 1;
            } else if state.waiting.len() >= self.messages {
                left_out.by_messages += 1;
            } else if bytes > self.bytes && !state.waiting.is_empty() {
                // One alone that is larger than the limit must not be held back for ever.
                left_out.by_bytes += 1;
            } else {
                state.bytes = bytes;
                state.waiting.push_back(message.frames().clone());
            }
        }
        self.changed.notify_one();
        left_out
    }

    /// Adds a prefix; false if there are too many.
    pub(crate) fn subscribe(&self, prefix: &[u8]) -> bool {
        self.lock().wanted.add(prefix)
    }

    /// Takes a prefix away.
    pub(crate) fn cancel(&self, prefix: &[u8]) {
        self.lock().wanted.remove(prefix);
    }

    /// Whether the subscriber wants anything at all.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.lock().wanted.is_empty()
    }

    /// Answers, before anything else is sent.
    pub(crate) fn answer(&self, frame: Bytes) {
        self.lock().answer = Some(frame);
        self.changed.notify_one();
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Waits for something to send; nothing if the queue is closed and empty.
    pub(crate) async fn next(&self) -> Vec<Bytes> {
        loop {
            let (chunk, closing) = self.take_chunk();
            if !chunk.is_empty() || closing {
                return chunk;
            }
            self.changed.notified().await;
        }
    }

    fn take_chunk(&self) -> (Vec<Bytes>, bool) {
        let mut state = self.lock();
        let mut chunk: Vec<Bytes> = state.answer.take().into_iter().collect();
        let (mut bytes, answers) = (0, chunk.len());
        while let Some(frames) = state.waiting.front() {
            if chunk.len() >= CHUNK || bytes > 0 && bytes + frames.len() > CHUNK_BYTES {
                break;
            }
            bytes += frames.len();
            chunk.extend(state.waiting.pop_front());
        }
        state.bytes -= bytes;
        state.in_hand = chunk.len() - answers;
        (chunk, state.closing)
    }

    /// The connection has taken the last chunk but for so many.
    pub(crate) fn keep_in_hand(&self, messages: usize) {
        let mut state = self.lock();
        // An answer went before them, and is none.
        state.in_hand = state.in_hand.min(messages);
    }

    /// How many messages the connection has not taken whole.
    pub(crate) fn unsent(&self) -> u64 {
        let state = self.lock();
        (state.waiting.len() + state.in_hand) as u64
    }

    /// Nothing under the lock is left half-done by a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: usize, bytes: usize) -> Queue {
        let queue = Queue::new(messages, bytes);
        assert!(queue.subscribe(b"t"));
        queue
    }

    fn taken(queue: &Queue) -> usize {
        queue.take_chunk().0.len()
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_counted() {
        let queue = queue(2, 1000);
        let left_out = queue.offer(&["t", "other", "t", "t"].map(|topic| Outgoing::new(topic, b"{}")), false);
        assert_eq!((left_out, taken(&queue)), (LeftOut { by_messages: 1, ..LeftOut::default() }, 2));
        let left_out = queue.offer(&[Outgoing::new("t", b"{}")], false);
        assert_eq!((left_out, taken(&queue)), (LeftOut::default(), 1));
    }

    #[test]
    fn bytes_are_bounded_but_one_message_always_finds_room() {
        let queue = queue(100, 1000);
        let one = LeftOut { by_bytes: 1, ..LeftOut::default() };
        let left_out = queue.offer(&[600, 600].map(|size| Outgoing::new("t", &vec![b' '; size])), false);
        assert_eq!((left_out, taken(&queue)), (one, 1));
        let left_out = queue.offer(&[2000, 1].map(|size| Outgoing::new("t", &vec![b' '; size])), false);
        assert_eq!((left_out, taken(&queue)), (one, 1));
        let left_out = queue.offer(&[Outgoing::new("t", b"{}")], false);
        assert_eq!((left_out, taken(&queue)), (LeftOut::default(), 1));
    }

    #[test]
    fn what_was_taken_counts_as_unsent_until_the_connection_has_taken_it() {
        let queue = queue(100, 1000);
        queue.offer(&["t"; 3].map(|topic| Outgoing::new(topic, b"{}")), false);
        queue.answer(Bytes::from_static(b"pong"));
        assert_eq!((queue.unsent(), taken(&queue)), (3, 4));
        queue.keep_in_hand(4);
        queue.offer(&[Outgoing::new("t", b"{}")], false);
        assert_eq!(queue.unsent(), 4);
        queue.keep_in_hand(1);
        assert_eq!((queue.unsent(), taken(&queue)), (2, 1));
        queue.keep_in_hand(0);
        assert_eq!(queue.unsent(), 0);
    }

    #[test]
    fn full_memory_is_for_those_who_are_not_behind() {
        let queue = queue(100, 1000);
        let batch = ["t", "other", "t"].map(|topic| Outgoing::new(topic, b"{}"));
        assert_eq!(queue.offer(&batch, true), LeftOut::default());
        assert_eq!(queue.offer(&batch, true), LeftOut { by_memory: 2, ..LeftOut::default() });
        assert_eq!(queue.offer(&batch, false), LeftOut::default());
        assert_eq!(taken(&queue), 4);
        assert_eq!(queue.offer(&batch, true), LeftOut::default());
    }

    #[test]
    fn an_answer_goes_before_what_waits() {
        let queue = queue(100, 1000);
        queue.offer(&[Outgoing::new("t", b"{}")], false);
        queue.answer(Bytes::from_static(b"first"));
        queue.answer(Bytes::from_static(b"second"));
        let (chunk, _) = queue.take_chunk();
        assert_eq!((chunk.len(), &chunk[0][..]), (2, &b"second"[..]));
    }
}
