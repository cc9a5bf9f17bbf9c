//! The newest messages, in memory: where readers wait, and in memory mode all there is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::WhenFull;
use crate::batch::Batch;
use crate::offset::micros;
use crate::record::Block;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait, wait_until};

#[derive(Debug)]
pub(crate) struct Ring {
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
    /// Whether a commit must say that there may be room. Set before the cursors are looked at, read after one was
    /// moved: one of the two sees the other.
    appender_waits: AtomicBool,
    /// As in the state, for those who only compare.
    next: AtomicU64,
    max_bytes: u64,
}

#[derive(Debug)]
struct State {
    blocks: VecDeque<Arc<Block>>,
    bytes: u64,
    next: u64,
    readers_waiting: usize,
    closed: bool,
}

impl State {
    fn first(&self) -> u64 {
        self.blocks.front().map_or(self.next, |block| block.first())
    }

    fn evict(&mut self) -> Option<Arc<Block>> {
        let block = self.blocks.pop_front()?;
        self.bytes -= block.cost();
        Some(block)
    }
}

/// What there is at an offset.
#[derive(Debug)]
pub(crate) enum Taken {
    Batch(Batch),
    /// It is older than the ring, which begins here.
    Behind(u64),
    /// It is yet to come.
    Ahead,
    Closed,
}

/// What became of a block that was to go into memory.
#[derive(Debug)]
pub(crate) enum Admission {
    /// After so many messages were dropped that somebody still needed. One evicted block is there for its memory.
    Taken {
        dropped: u64,
        evicted: Option<Arc<Block>>,
    },
    Refused,
    Closed,
}

impl Ring {
    pub(crate) fn new(max_bytes: u64, next: u64) -> Self {
        let blocks = VecDeque::new();
        let state = Mutex::new(State { blocks, bytes: 0, next, readers_waiting: 0, closed: false });
        let (arrived, room) = (Condvar::new(), Condvar::new());
        let (appender_waits, next) = (AtomicBool::new(false), AtomicU64::new(next));
        Self { state, arrived, room, appender_waits, next, max_bytes }
    }

    /// The oldest in memory, and the next to come.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.first(), state.next)
    }

    /// The next to come.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(SeqCst)
    }

    pub(crate) fn bytes(&self) -> u64 {
        lock(&self.state).bytes
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Adds a block whose messages are on disk; the oldest make room. One of those is returned for its memory.
    pub(crate) fn push(&self, block: Arc<Block>) -> Option<Arc<Block>> {
        let mut state = lock(&self.state);
        let mut evicted = None;
        while state.bytes + block.cost() > self.max_bytes && !state.blocks.is_empty() {
            evicted = state.evict();
        }
        self.add(state, block);
        evicted
    }

    /// Adds a block that is nowhere else. `slowest` is the offset that every consumer has reached.
    pub(crate) fn admit(
        &self,
        block: Arc<Block>,
        when_full: WhenFull,
        slowest: impl Fn() -> u64,
    ) -> Admission {
        let mut state = lock(&self.state);
        let (mut dropped, mut evicted) = (0, None);
        loop {
            if state.closed {
                return Admission::Closed;
            }
            let Some(oldest) = state.blocks.front().filter(|_| state.bytes + block.cost() > self.max_bytes)
            else {
                break;
            };
            let (needed, end) = (oldest.end() > slowest(), oldest.end());
            match when_full {
                _ if !needed => evicted = state.evict(),
                WhenFull::DropOldest => {
                    dropped += end - slowest().max(oldest.first());
                    evicted = state.evict();
                }
                WhenFull::DropNewest => return Admission::Refused,
                WhenFull::Block => {
                    self.appender_waits.store(true, SeqCst);
                    if end > slowest() {
                        state = wait(&self.room, state);
                    }
                    self.appender_waits.store(false, SeqCst);
                }
            }
        }
        self.add(state, block);
        Admission::Taken { dropped, evicted }
    }

    fn add(&self, mut state: MutexGuard<'_, State>, block: Arc<Block>) {
        state.next = block.end();
        self.next.store(state.next, SeqCst);
        state.bytes += block.cost();
        state.blocks.push_back(block);
        if state.readers_waiting > 0 {
            self.arrived.notify_all();
        }
    }

    /// To be called after a cursor was moved.
    pub(crate) fn room_may_be(&self) {
        if self.appender_waits.load(SeqCst) {
            let _state = lock(&self.state);
            self.room.notify_all();
        }
    }

    /// Up to `max` messages from `at` on.
    pub(crate) fn take(&self, at: u64, max: usize) -> Taken {
        let state = lock(&self.state);
        if at >= state.next {
            return if state.closed { Taken::Closed } else { Taken::Ahead };
        }
        let first = state.first();
        if at < first {
            return Taken::Behind(first);
        }
        let place = state.blocks.partition_point(|block| block.end() <= at);
        let Some(block) = state.blocks.get(place).map(Arc::clone) else { return Taken::Ahead };
        drop(state);
        let start = block.place(at);
        let end = block.len().min(start.saturating_add(max.max(1)));
        Batch::new(block, start..end).map_or(Taken::Ahead, Taken::Batch)
    }

    /// The first message received at or after a time, if there is one.
    pub(crate) fn find(&self, time: SystemTime) -> Option<u64> {
        let (state, time) = (lock(&self.state), micros(time));
        let mut slots = state.blocks.iter().flat_map(|block| &block.slots);
        slots.find(|slot| slot.received >= time).map(|slot| slot.offset)
    }

    /// Waits until there is something at `at`, the journal is closed, `woken` is set or the time has come.
    pub(crate) fn wait(&self, at: u64, deadline: Option<Instant>, woken: &AtomicBool) {
        let mut state = lock(&self.state);
        while at >= state.next
            && !state.closed
            && !woken.load(SeqCst)
            && deadline.is_none_or(|deadline| Instant::now() < deadline)
        {
            state.readers_waiting += 1;
            state = wait_until(&self.arrived, state, deadline);
            state.readers_waiting -= 1;
        }
    }

    pub(crate) fn wake_readers(&self) {
        let _state = lock(&self.state);
        self.arrived.notify_all();
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.arrived.notify_all();
        self.room.notify_all();
    }
}
