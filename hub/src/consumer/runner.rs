//! A consumer's thread: reads the journal by the consumer's cursor, and moves the cursor over what has an ending.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use control::ConsumerState;
use crossbeam_channel::Receiver;
use journal::{Batch, Cursor, DeadLetter, JournalError, Next, Offset, Reader};

use super::courier::{Courier, Cut};
use super::options::LARGEST_BATCH;
use super::pace::Pace;
use super::pool::Pool;
use super::replay::Replay;
use super::share::{Manner, Picks, Share, Then};
use super::wants::Wants;
use super::{Consumer, Event, Order};
use crate::plan::PlannedConsumer;
use crate::throttle::Throttle;

/// How long to wait when the disk cannot be read.
const UNREADABLE: Duration = Duration::from_secs(1);

/// As many messages are suspected after a crash: those that workers may have in hand, and those that were dealt with
/// since a cursor was written for the last time. If they are more, the next crash is nearer to its cause.
const SUSPECTS: u64 = 4096;

/// Who takes the messages: this thread, or several others.
pub(super) trait Hands {
    /// As many messages may be handed over now.
    fn room(&self) -> usize;
    /// Waits for some of them to be dealt with.
    fn wait_for_room(&mut self) -> Result<(), Cut>;
    /// Takes messages, and sees to what is to happen when they are dealt with.
    fn hand_over(&mut self, share: Share, then: Then) -> Result<(), Cut>;
    /// Sees to what is to happen when all before is dealt with.
    fn pass(&mut self, then: Then);
    /// Does what is due.
    fn settle(&mut self) -> Result<(), Cut>;
    /// Whether messages that were handed over are not dealt with.
    fn is_busy(&self) -> bool;
    /// When to settle at the latest.
    fn next_due(&self) -> Option<Instant>;
    /// Delivers a dead letter once more.
    fn redeliver(&mut self, letter: DeadLetter);
    /// Stops the plugin's instances.
    fn stop(self: Box<Self>);
}

/// The thread's own instance.
struct Own {
    courier: Courier,
    pace: Pace,
}

impl Hands for Own {
    fn room(&self) -> usize {
        self.pace.size()
    }

    fn wait_for_room(&mut self) -> Result<(), Cut> {
        Ok(())
    }

    fn hand_over(&mut self, share: Share, then: Then) -> Result<(), Cut> {
        let begun = Instant::now();
        self.courier.deliver(&share.parcels(), share.manner, |offset, count| then.some(offset, count))?;
        then.all(0);
        self.pace.done(begun);
        Ok(())
    }

    fn pass(&mut self, then: Then) {
        then.all(0);
    }

    fn settle(&mut self) -> Result<(), Cut> {
        self.courier.deliver_due().map(drop)
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn next_due(&self) -> Option<Instant> {
        self.courier.next_due()
    }

    fn redeliver(&mut self, letter: DeadLetter) {
        self.courier.redeliver(&letter);
    }

    fn stop(self: Box<Self>) {
        self.courier.stop();
    }
}

/// Everything that the thread needs.
pub struct Runner {
    /// Whose it is.
    pub consumer: Arc<Consumer>,
    /// Where it is.
    pub cursor: Cursor,
    /// Reads from there.
    pub reader: Reader,
    /// What it is told.
    pub orders: Receiver<Order>,
}

impl Runner {
    /// Runs until it is told to end, the hub halts, or the plugin gives up.
    pub fn run(self, planned: &PlannedConsumer) {
        let Self { consumer, cursor, reader, orders } = self;
        let _ended = Ended(Arc::clone(&consumer));
        let hands: Option<Box<dyn Hands>> = if consumer.options.workers == 1 {
            let instance = consumer.start(|event| consumer.report(event));
            let courier = instance.map(|instance| Courier::new(Arc::clone(&consumer), instance));
            courier.map(|courier| Box::new(Own { courier, pace: Pace::new(consumer.options.batch) }) as _)
        } else {
            Pool::start(&consumer, &reader.waker()).map(|pool| Box::new(pool) as _)
        };
        let Some(hands) = hands else { return };
        let wants = Wants::new(planned, Arc::clone(&consumer));
        let (buried, replays, troubles) = Default::default();
        let crashed = consumer.calls.durable && consumer.journal.crashed();
        let suspects = if crashed { Offset(cursor.position().0 + SUSPECTS) } else { Offset(0) };
        let mut reading = Reading {
            consumer,
            cursor,
            reader,
            wants,
            orders,
            hands,
            buried,
            replays,
            suspects,
            end: None,
            troubles,
        };
        reading.recall();
        let cut = reading.run();
        if cut == Err(Cut::Ended) && !reading.consumer.calls.resumes() {
            reading.give_up();
        }
        tracing::debug!(
            consumer = %reading.consumer.name, ?cut, position = reading.cursor.position().0, "reads no further"
        );
        reading.hands.stop();
    }
}

/// Says at the thread's end, whatever brings it about, that it is there.
struct Ended(Arc<Consumer>);

impl Drop for Ended {
    fn drop(&mut self) {
        if self.0.tally.state() != ConsumerState::Ignored {
            self.0.set_state(ConsumerState::Ended);
        }
        self.0.report(Event::Ended(self.0.name.clone()));
    }
}

/// The consumer reading.
struct Reading {
    consumer: Arc<Consumer>,
    cursor: Cursor,
    reader: Reader,
    wants: Wants,
    orders: Receiver<Order>,
    hands: Box<dyn Hands>,
    /// Messages that the cursor has not passed, because of a crash, and that are dead letters already.
    buried: BTreeSet<Offset>,
    replays: VecDeque<Replay>,
    /// Messages before this may have been in the consumer's hand when the hub crashed.
    suspects: Offset,
    end: Option<Offset>,
    troubles: Throttle,
}

impl Reading {
    /// Takes up what was set aside when the hub last ended.
    fn recall(&mut self) {
        let position = self.cursor.position();
        for letter in self.consumer.journal.dead_letters() {
            if letter.consumer != *self.consumer.name {
                continue;
            }
            if letter.in_hand && (position..self.suspects).contains(&letter.offset) {
                // Its turn comes in order.
                continue;
            }
            if letter.offset >= position {
                self.buried.insert(letter.offset);
            }
            if letter.requeued {
                self.hands.redeliver(letter);
            }
        }
    }

    fn run(&mut self) -> Result<(), Cut> {
        loop {
            while let Ok(order) = self.orders.try_recv() {
                self.follow(order);
            }
            if self.consumer.calls.halted() {
                return Err(Cut::Halted);
            }
            self.hands.settle()?;
            if self.is_over() {
                return Ok(());
            }
            if self.consumer.calls.leaves() {
                self.hands.wait_for_room()?;
                continue;
            }
            // What is asked for again and what comes in take turns.
            if !self.replays.is_empty() {
                self.replay()?;
            }
            self.read()?;
        }
    }

    /// In memory, what is kept for a consumer that has ended is kept for nobody, and takes the others' room.
    fn give_up(&mut self) {
        let journal = &self.consumer.journal;
        self.consumer.lost(self.cursor.position()..journal.next());
        if let Err(error) = journal.forget(&self.consumer.name) {
            tracing::error!(consumer = %self.consumer.name, %error, "its place cannot be given up");
        }
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::EndAt(offset) => self.end = Some(offset),
            Order::Redeliver(letter) => self.hands.redeliver(letter),
            Order::Replay { offsets, progress } => {
                self.replays.push_back(Replay::new(&self.consumer.journal, offsets, progress));
            }
        }
    }

    /// Whether all that it has to deal with is dealt with.
    fn is_over(&self) -> bool {
        let calls = &self.consumer.calls;
        let aside = !calls.resumes() && self.consumer.tally.aside() > 0;
        let there = calls.leaves() || self.end.is_some_and(|end| self.reader.position() >= end);
        there && !aside && !self.hands.is_busy()
    }

    /// Reads on, waiting if there is nothing.
    fn read(&mut self) -> Result<(), Cut> {
        let room = self.hands.room();
        if room == 0 {
            return self.hands.wait_for_room();
        }
        // A replay goes on meanwhile.
        let deadline = if self.replays.is_empty() { self.hands.next_due() } else { Some(Instant::now()) };
        match self.reader.next_batch(room.min(LARGEST_BATCH), deadline) {
            Ok(Next::Batch(batch)) => {
                let picks = self.picks(&batch);
                let then = Then::Commit(self.cursor.clone(), batch.end());
                if picks.places.is_empty() {
                    self.hands.pass(then);
                    return Ok(());
                }
                let manner = if batch.first() < self.suspects { Manner::Suspect } else { Manner::Usual };
                self.hands.hand_over(Share { batch, picks, manner }, then)
            }
            Ok(Next::Gap(gap)) => {
                let end = gap.offsets.end;
                self.consumer.lost(gap.offsets);
                self.hands.pass(Then::Commit(self.cursor.clone(), end));
                Ok(())
            }
            Ok(Next::TimedOut | Next::Woken) => Ok(()),
            Ok(Next::Closed) => Err(Cut::Halted),
            Err(error) => self.trouble(&error),
        }
    }

    /// Which of these are for the consumer.
    fn picks(&mut self, batch: &Batch) -> Picks {
        let mut picks = self.wants.pick(batch, &..);
        self.consumer.tally.received.fetch_add(picks.places.len() as u64, Relaxed);
        if !self.buried.is_empty() {
            let first = batch.iter().map(|entry| entry.offset()).collect::<Vec<_>>();
            picks.places.retain(|pick| !self.buried.remove(&first[*pick]));
        }
        picks
    }

    /// Goes on with a replay, a batch at a time, so that what comes in now doesn't wait for it.
    fn replay(&mut self) -> Result<(), Cut> {
        // Half of the room is for what comes in.
        let room = self.hands.room().div_ceil(2);
        let Some(replay) = self.replays.front_mut().filter(|_| room > 0) else { return Ok(()) };
        match replay.next(room.min(LARGEST_BATCH), &mut self.wants) {
            Ok(Some((share, then))) => {
                self.consumer.tally.replayed.fetch_add(share.picks.places.len() as u64, Relaxed);
                self.hands.hand_over(share, then)
            }
            Ok(None) => {
                self.replays.pop_front();
                Ok(())
            }
            Err(error) => self.trouble(&error),
        }
    }

    fn trouble(&mut self, error: &JournalError) -> Result<(), Cut> {
        if let Some(suppressed) = self.troubles.pass() {
            tracing::error!(
                consumer = %self.consumer.name, %error, suppressed, "cannot read the journal; trying again"
            );
        }
        self.consumer.calls.pause(UNREADABLE)
    }
}
