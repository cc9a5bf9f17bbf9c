//! Several instances of one consumer, each on a thread of its own.
//!
//! Messages of one key go to one worker, so that they keep their order. The cursor moves over what all workers have dealt
//! with: after a crash, no more than [`WINDOW`] messages can come again.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Waker;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};
use journal::{DeadLetter, Entry};

use super::courier::{Courier, Cut};
use super::options::Ordering;
use super::runner::Hands;
use super::share::{Share, Then};
use super::{Consumer, Event};

/// As many messages are with the workers at once at most.
const WINDOW: usize = 1024;

/// The workers.
pub(super) struct Pool {
    consumer: Arc<Consumer>,
    /// A queue for each worker; one for all if order doesn't matter.
    queues: Vec<Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
    hash: RandomState,
    /// What is with the workers, in the order of the journal.
    window: VecDeque<Out>,
    messages: usize,
    bell: Receiver<()>,
    ended: Arc<AtomicBool>,
}

/// What a worker gets.
enum Work {
    Share(Share, Arc<AtomicUsize>),
    Redeliver(DeadLetter),
}

/// A batch that is with the workers.
struct Out {
    messages: usize,
    left: Arc<AtomicUsize>,
    then: Then,
}

impl Pool {
    /// Starts the workers; `None` when one of them will not work.
    pub(super) fn start(consumer: &Arc<Consumer>, waker: &Waker) -> Option<Self> {
        let workers = consumer.options.workers;
        let (ring, bell) = bounded(1);
        let (said, hears) = unbounded();
        let ended = Arc::new(AtomicBool::new(false));
        let mut pool = Self {
            consumer: Arc::clone(consumer),
            queues: Vec::new(),
            threads: Vec::new(),
            hash: RandomState::new(),
            window: VecDeque::new(),
            messages: 0,
            bell,
            ended: Arc::clone(&ended),
        };
        let (all, common) = unbounded();
        for n in 0..workers {
            let (queue, work) = match consumer.options.ordering {
                Ordering::None => (all.clone(), common.clone()),
                Ordering::Topic | Ordering::Endpoint => unbounded(),
            };
            let worker = Worker {
                consumer: Arc::clone(consumer),
                work,
                notice: Notice { ended: Arc::clone(&ended), ring: ring.clone(), waker: waker.clone() },
            };
            let said = said.clone();
            // The kernel cuts a thread's name at 15 bytes.
            let thread = Builder::new().name(format!("{n}:{}", consumer.name));
            match thread.spawn(move || worker.run(|event| drop(said.send(event)))) {
                Ok(thread) => pool.threads.push(thread),
                Err(error) => {
                    tracing::error!(consumer = %consumer.name, %error, "cannot start a worker's thread");
                }
            }
            pool.queues.push(queue);
        }
        drop(said);
        let ready = hears.iter().take(workers).take_while(|event| match event {
            Event::StartFailed(name, error) => {
                consumer.report(Event::StartFailed(name.clone(), error.clone()));
                false
            }
            Event::Ready(_) | Event::Ended(_) => true,
        });
        if ready.count() < workers {
            Box::new(pool).stop();
            return None;
        }
        consumer.report(Event::Ready(consumer.name.clone()));
        Some(pool)
    }

    fn queue(&self, entry: &Entry<'_>) -> usize {
        let key = match self.consumer.options.ordering {
            Ordering::Topic => entry.topic(),
            Ordering::Endpoint => entry.endpoint(),
            Ordering::None => return 0,
        };
        usize::try_from(self.hash.hash_one(key) % self.queues.len() as u64).unwrap_or(0)
    }

    fn send(&self, queue: usize, work: Work) {
        // A worker that has gone has said so, and the pool is about to end.
        if let Some(queue) = self.queues.get(queue) {
            drop(queue.send(work));
        }
    }
}

impl Hands for Pool {
    fn room(&self) -> usize {
        WINDOW.saturating_sub(self.messages).min(WINDOW / 4)
    }

    fn wait_for_room(&mut self) -> Result<(), Cut> {
        select! {
            recv(self.bell) -> _ => Ok(()),
            recv(self.consumer.calls.halt) -> _ => Err(Cut::Halted),
        }
    }

    fn hand_over(&mut self, share: Share, then: Then) -> Result<(), Cut> {
        let Share { batch, picks, replayed } = share;
        let left = Arc::new(AtomicUsize::new(picks.len()));
        self.messages += picks.len();
        self.window.push_back(Out { messages: picks.len(), left: Arc::clone(&left), then });
        if self.consumer.options.ordering == Ordering::None {
            // One by one unless said otherwise, to whoever is free.
            for picks in picks.chunks(self.consumer.options.batch.unwrap_or(1)) {
                let share = Share { batch: batch.clone(), picks: picks.to_vec(), replayed };
                self.send(0, Work::Share(share, Arc::clone(&left)));
            }
        } else {
            let mut shares = vec![Vec::new(); self.queues.len()];
            for (place, entry) in batch.iter().enumerate() {
                if picks.binary_search(&place).is_ok() {
                    shares[self.queue(&entry)].push(place);
                }
            }
            for (queue, picks) in shares.into_iter().enumerate().filter(|(_, picks)| !picks.is_empty()) {
                let share = Share { batch: batch.clone(), picks, replayed };
                self.send(queue, Work::Share(share, Arc::clone(&left)));
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Cut> {
        while self.window.front().is_some_and(|out| out.left.load(SeqCst) == 0) {
            if let Some(out) = self.window.pop_front() {
                self.messages -= out.messages;
                out.then.all();
            }
        }
        if self.ended.load(SeqCst) { Err(Cut::Ended) } else { Ok(()) }
    }

    fn is_busy(&self) -> bool {
        !self.window.is_empty()
    }

    fn next_due(&self) -> Option<Instant> {
        None
    }

    fn redeliver(&mut self, letter: DeadLetter) {
        self.send(0, Work::Redeliver(letter));
    }

    fn stop(mut self: Box<Self>) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A panic of its own was reported by the hook.
            drop(thread.join());
        }
        // What it says does not matter any more.
        self.settle().ok();
    }
}

/// One of the threads.
struct Worker {
    consumer: Arc<Consumer>,
    work: Receiver<Work>,
    notice: Notice,
}

/// How a worker makes the pool look.
struct Notice {
    ended: Arc<AtomicBool>,
    ring: Sender<()>,
    waker: Waker,
}

impl Notice {
    fn give(&self) {
        // If it is full, the pool will look anyway.
        self.ring.try_send(()).ok();
        self.waker.wake_by_ref();
    }
}

impl Drop for Notice {
    /// A worker that ends, by whatever, ends the consumer: nobody else has what it was given.
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        self.give();
    }
}

impl Worker {
    fn run(self, report: impl Fn(Event)) {
        let Some(instance) = self.consumer.start(report) else { return };
        let mut courier = Courier::new(Arc::clone(&self.consumer), instance);
        // Whatever cuts it off is known to the pool by its end.
        self.deliver(&mut courier).ok();
        courier.stop();
    }

    fn deliver(&self, courier: &mut Courier) -> Result<(), Cut> {
        loop {
            let work = match courier.next_due() {
                Some(due) => self.work.recv_deadline(due),
                None => self.work.recv().map_err(RecvTimeoutError::from),
            };
            match work {
                Ok(Work::Share(share, left)) => {
                    let entries = share.entries();
                    courier.deliver(&entries, share.replayed, |_| ())?;
                    left.fetch_sub(entries.len(), SeqCst);
                    self.notice.give();
                }
                Ok(Work::Redeliver(letter)) => courier.redeliver(&letter),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            courier.deliver_due()?;
        }
    }
}
