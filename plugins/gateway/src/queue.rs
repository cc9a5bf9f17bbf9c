//! What waits for one subscriber, within bounds.

use std::collections::VecDeque;
use std::mem::take;
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
    left_out: u64,
    closing: bool,
}

impl Queue {
    /// A queue of at most so many messages, and so many bytes.
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes, state: Mutex::default(), changed: Notify::new() }
    }

    /// Puts in what the subscriber wants of these. What finds no room is left out, and counted.
    pub(crate) fn offer(&self, batch: &[Outgoing]) {
        let mut state = self.lock();
        let state = &mut *state;
        for message in batch.iter().filter(|message| state.wanted.want(message.topic())) {
            let bytes = state.bytes + message.frames().len();
            // One that is larger than the limit must not be held back for ever.
            if state.waiting.len() < self.messages && (bytes <= self.bytes || state.waiting.is_empty()) {
                state.bytes = bytes;
                state.waiting.push_back(message.frames().clone());
            } else {
                state.left_out += 1;
            }
        }
        self.changed.notify_one();
    }

    /// Adds a prefix; false if there are too many.
    pub(crate) fn subscribe(&self, prefix: &[u8]) -> bool {
        self.lock().wanted.add(prefix)
    }

    /// Takes a prefix away.
    pub(crate) fn cancel(&self, prefix: &[u8]) {
        self.lock().wanted.remove(prefix);
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
        let mut bytes = 0;
        while let Some(frames) = state.waiting.front() {
            if chunk.len() >= CHUNK || bytes > 0 && bytes + frames.len() > CHUNK_BYTES {
                break;
            }
            bytes += frames.len();
            chunk.extend(state.waiting.pop_front());
        }
        state.bytes -= bytes;
        (chunk, state.closing)
    }

    /// How many messages were left out since the last call.
    pub(crate) fn take_left_out(&self) -> u64 {
        take(&mut self.lock().left_out)
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
        queue.offer(&["t", "other", "t", "t"].map(|topic| Outgoing::new(topic, b"{}")));
        assert_eq!((queue.take_left_out(), queue.take_left_out()), (1, 0));
        assert_eq!(taken(&queue), 2);
        queue.offer(&[Outgoing::new("t", b"{}")]);
        assert_eq!((taken(&queue), queue.take_left_out()), (1, 0));
    }

    #[test]
    fn bytes_are_bounded_but_one_message_always_finds_room() {
        let queue = queue(100, 1000);
        queue.offer(&[600, 600].map(|size| Outgoing::new("t", &vec![b' '; size])));
        assert_eq!((taken(&queue), queue.take_left_out()), (1, 1));
        queue.offer(&[2000, 1].map(|size| Outgoing::new("t", &vec![b' '; size])));
        assert_eq!((taken(&queue), queue.take_left_out()), (1, 1));
        queue.offer(&[Outgoing::new("t", b"{}")]);
        assert_eq!((taken(&queue), queue.take_left_out()), (1, 0));
    }

    #[test]
    fn an_answer_goes_before_what_waits() {
        let queue = queue(100, 1000);
        queue.offer(&[Outgoing::new("t", b"{}")]);
        queue.answer(Bytes::from_static(b"first"));
        queue.answer(Bytes::from_static(b"second"));
        let (chunk, _) = queue.take_chunk();
        assert_eq!((chunk.len(), &chunk[0][..]), (2, &b"second"[..]));
    }
}
