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
use super::pace::Pace;
use super::runner::Hands;
use super::share::{Picks, Share, Then};
use super::{Consumer, Event};

/// As many messages are with the workers at once at most.
const WINDOW: usize = 1024;

/// As many bytes of messages, at most, unless one alone is larger.
const WINDOW_BYTES: usize = 16 << 20;

/// The cursor moves over so many at once, at most.
const STEP: usize = 32;

/// The workers.
pub(super) struct Pool {
    consumer: Arc<Consumer>,
    /// A queue for each worker; one for all if order doesn't matter.
    queues: Vec<Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
    hash: RandomState,
    /// What is with the workers, in the order of the journal.
    window: VecDeque<Out>,
    /// How many messages that is, and how many bytes.
    messages: usize,
    bytes: usize,
    /// Of a message, lately.
    typical_bytes: usize,
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
    bytes: usize,
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
            bytes: 0,
            typical_bytes: 1,
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

    /// Gives these of a batch to the workers.
    fn hand_out(&self, share: &Share, picks: &[usize], left: &Arc<AtomicUsize>) {
        let give = |queue, picks: Vec<usize>| {
            let picks = Picks { places: picks, signers: share.picks.signers.clone() };
            let share = Share { batch: share.batch.clone(), picks, manner: share.manner };
            self.send(queue, Work::Share(share, Arc::clone(left)));
        };
        if self.consumer.options.ordering == Ordering::None {
            // One by one unless said otherwise, to whoever is free.
            for picks in picks.chunks(self.consumer.options.batch.unwrap_or(1)) {
                give(0, picks.to_vec());
            }
            return;
        }
        let mut shares = vec![Vec::new(); self.queues.len()];
        let entries: Vec<_> = share.batch.iter().collect();
        for pick in picks {
            shares[self.queue(&entries[*pick])].push(*pick);
        }
        for (queue, picks) in shares.into_iter().enumerate().filter(|(_, picks)| !picks.is_empty()) {
            give(queue, picks);
        }
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
        let messages = WINDOW - self.messages.min(WINDOW);
        let bytes = WINDOW_BYTES.saturating_sub(self.bytes) / self.typical_bytes;
        let least = usize::from(self.window.is_empty());
        messages.min(bytes).min(WINDOW / 4).max(least)
    }

    fn wait_for_room(&mut self) -> Result<(), Cut> {
        select! {
            recv(self.bell) -> _ => Ok(()),
            recv(self.consumer.calls.halt) -> _ => Err(Cut::Halted),
        }
    }

    fn hand_over(&mut self, share: Share, then: Then) -> Result<(), Cut> {
        let entries: Vec<_> = share.batch.iter().collect();
        let all: usize = share.picks.places.iter().map(|pick| entries[*pick].body().len()).sum();
        self.typical_bytes = (all / share.picks.places.len().max(1)).max(1);
        let mut steps = share.picks.places.chunks(STEP).peekable();
        while let Some(picks) = steps.next() {
            let bytes = picks.iter().map(|pick| entries[*pick].body().len()).sum();
            let left = Arc::new(AtomicUsize::new(picks.len()));
            let then = match (steps.peek(), picks.last()) {
                (Some(_), Some(last)) => then.at(entries[*last].offset().next()),
                _ => then.clone(),
            };
            self.messages += picks.len();
            self.bytes += bytes;
            self.window.push_back(Out { messages: picks.len(), bytes, left: Arc::clone(&left), then });
            self.hand_out(&share, picks, &left);
        }
        Ok(())
    }

    fn pass(&mut self, then: Then) {
        if let (Some(Then::Commit(_, end)), Then::Commit(_, later)) =
            (self.window.back_mut().map(|out| &mut out.then), &then)
        {
            *end = *later;
        } else if self.window.is_empty() {
            then.all(0);
        } else {
            self.window.push_back(Out { messages: 0, bytes: 0, left: Arc::default(), then });
        }
    }

    fn settle(&mut self) -> Result<(), Cut> {
        while self.window.front().is_some_and(|out| out.left.load(SeqCst) == 0) {
            if let Some(out) = self.window.pop_front() {
                self.messages -= out.messages;
                self.bytes -= out.bytes;
                out.then.all(out.messages);
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
        let mut pace = Pace::new(self.consumer.options.batch);
        loop {
            let work = match courier.next_due() {
                Some(due) => self.work.recv_deadline(due),
                None => self.work.recv().map_err(RecvTimeoutError::from),
            };
            match work {
                Ok(Work::Share(share, left)) => {
                    let parcels = share.parcels();
                    let mut rest = &*parcels;
                    while !rest.is_empty() {
                        // Another worker has ended the consumer.
                        if self.notice.ended.load(SeqCst) {
                            return Err(Cut::Ended);
                        }
                        let (now, later) = rest.split_at(pace.size().min(rest.len()));
                        let begun = Instant::now();
                        courier.deliver(now, share.manner, |_, _| ())?;
                        pace.done(begun);
                        left.fetch_sub(now.len(), SeqCst);
                        rest = later;
                    }
                    self.notice.give();
                }
                Ok(Work::Redeliver(letter)) => courier.redeliver(&letter),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if courier.deliver_due()? {
                self.notice.give();
            }
        }
    }
}
