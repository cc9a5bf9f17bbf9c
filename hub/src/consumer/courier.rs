//! Hands messages to one instance of a consumer until each has an ending, and records every ending but success.
//!
//! Endings are in the journal before the caller may move the cursor past them. The courier does not move it.

mod suspects;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use journal::{Attempt, DeadLetter, Ending, Entry, Journal, JournalError, Offset};
use plugin_api::{Consumed, Delivery, Failure, FailureKind, Instance};

use super::Consumer;
use super::admission::Admission;
use super::aside::{Aside, Failing};
use super::backoff::Backoff;
use super::meter::Hand;
use super::options::OnRetry;
use super::share::{Manner, Parcel};
use crate::outcome::Dropped;
use crate::throttle::Throttle;

/// Hands messages to an instance.
pub(super) struct Courier {
    consumer: Arc<Consumer>,
    instance: Instance,
    backoff: Backoff,
    aside: Aside,
    failures: Throttle,
    hand: Arc<Hand>,
}

/// Why no more can be delivered. What has no ending yet stays in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The hub stops.
    Halted,
    /// The consumer asked for it.
    Ended,
}

/// What a failure means for its message.
enum Fate {
    /// It is tried again after this time.
    Again(Duration),
    /// It is dealt with, for now or for good.
    Over,
}

impl Courier {
    pub(super) fn new(consumer: Arc<Consumer>, instance: Instance) -> Self {
        let backoff = Backoff { min: consumer.options.retry_min, max: consumer.options.retry_max };
        let (hand, aside, failures) = (consumer.tally.calls.hand(), Aside::default(), Throttle::default());
        Self { consumer, instance, backoff, aside, failures, hand }
    }

    /// Delivers these, in order. `passed` is told of each offset up to which all have an ending, or are set
    /// aside, and how many that are since it was last told.
    pub(super) fn deliver(
        &mut self,
        entries: &[Parcel<'_>],
        manner: Manner,
        passed: impl FnMut(Offset, usize),
    ) -> Result<(), Cut> {
        let mut failing = None;
        let cut = self.deliver_each(entries, manner, passed, &mut failing);
        if let (Err(_), Some(failing)) = (cut, failing) {
            // It stays where it is, and begins anew.
            self.unbury(&failing).ok();
        }
        cut
    }

    fn deliver_each(
        &mut self,
        entries: &[Parcel<'_>],
        manner: Manner,
        mut passed: impl FnMut(Offset, usize),
        failing: &mut Option<Failing>,
    ) -> Result<(), Cut> {
        let replayed = manner == Manner::Replayed;
        let mut done = 0;
        while let Some(next) = entries.get(done) {
            if self.consumer.calls.halted() {
                return Err(Cut::Halted);
            }
            if manner == Manner::Suspect {
                let suspect = failing.get_or_insert_with(|| self.suspect(next.offset()));
                if self.has_ended_the_hub(suspect) {
                    self.condemn(suspect, next)?;
                    *failing = None;
                    done += 1;
                    passed(next.offset().next(), 1);
                    continue;
                }
                self.note(suspect)?;
            }
            // One that is retried goes alone, so that only it is on a later attempt.
            let (end, attempt) =
                failing.map_or((entries.len(), 1), |failing| (done + 1, failing.attempts + 1));
            let started = Instant::now();
            let deliveries: Vec<_> =
                entries[done..end].iter().map(|entry| delivery(entry, attempt, replayed)).collect();
            let consumed = self.consume(&deliveries);
            if consumed.done > 0 {
                done += consumed.done;
                if let Some(failing) = failing.take() {
                    self.unbury(&failing)?;
                }
                passed(entries[done - 1].offset().next(), consumed.done);
            }
            let Some(failure) = consumed.failure else { continue };
            let Some(entry) = entries.get(done) else { break };
            let now = failing.get_or_insert_with(|| Failing::new(entry.offset(), replayed));
            debug_assert!(now.offset == entry.offset() && next.offset() <= now.offset);
            match self.failed(now, entry, &failure, started.elapsed(), self.consumer.options.on_retry)? {
                Fate::Again(wait) => self.consumer.calls.pause(wait)?,
                Fate::Over => {
                    done += 1;
                    *failing = None;
                    passed(entry.offset().next(), 1);
                }
            }
        }
        Ok(())
    }

    /// When the next message that was set aside is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.aside.next_due()
    }

    /// Sets a dead letter that was requeued aside, to be delivered at once.
    pub(super) fn redeliver(&mut self, letter: &DeadLetter) {
        self.set_aside(Failing::from(letter), Duration::ZERO);
    }

    /// Delivers what was set aside and is due, each once; whether there was anything.
    pub(super) fn deliver_due(&mut self) -> Result<bool, Cut> {
        let (mut any, now) = (false, Instant::now());
        while let Some(mut failing) = self.aside.take_due(now) {
            self.consumer.tally.aside.fetch_sub(1, Relaxed);
            any = true;
            if self.consumer.calls.halted() {
                return Err(Cut::Halted);
            }
            // The operator may have purged it, or it was delivered by a replay.
            let letter = self.consumer.journal.dead_letter(failing.offset, &self.consumer.name);
            if !letter.is_some_and(|letter| letter.requeued) {
                continue;
            }
            let message = match self.consumer.journal.get(failing.offset) {
                Ok(message) => message,
                Err(error) => {
                    self.complain(&error);
                    self.set_aside(failing, self.backoff.max);
                    continue;
                }
            };
            let Some(message) = message else {
                self.consumer.lost(failing.offset..failing.offset.next());
                self.unbury(&failing)?;
                continue;
            };
            for entry in message.iter() {
                // Who validates may not have done so when the letter was made, or by other files.
                let admission = self.consumer.gate().admit(&entry);
                let signer = match &admission {
                    Admission::AsNoted => None,
                    Admission::Signed(by) => Some(&**by),
                    Admission::Refused => {
                        self.unbury(&failing)?;
                        continue;
                    }
                };
                let parcel = Parcel { entry, signer };
                if self.has_ended_the_hub(&failing) {
                    self.condemn(&mut failing, &entry)?;
                    continue;
                }
                self.note(&mut failing)?;
                let started = Instant::now();
                let consumed = self.consume(&[delivery(&parcel, failing.attempts + 1, failing.replayed)]);
                let Some(failure) = consumed.failure.filter(|_| consumed.done == 0) else {
                    self.unbury(&failing)?;
                    continue;
                };
                // It has let others pass already.
                let fate = self.failed(&mut failing, &entry, &failure, started.elapsed(), OnRetry::Continue);
                match fate {
                    Ok(Fate::Again(wait)) => self.set_aside(failing, wait),
                    Ok(Fate::Over) => {}
                    Err(cut) => {
                        self.put_back(&failing, &failure);
                        return Err(cut);
                    }
                }
            }
        }
        Ok(any)
    }

    /// Calls the plugin, by the clock.
    fn consume(&mut self, deliveries: &[Delivery<'_>]) -> Consumed {
        let (instance, tally) = (&mut self.instance, &self.consumer.tally);
        let consumed = tally.calls.measure(&self.hand, deliveries.len(), || {
            let consumed = instance.consume(deliveries);
            (consumed.done + usize::from(consumed.failure.is_some()), consumed)
        });
        tally.finished.fetch_add(consumed.done as u64, Relaxed);
        let failed = consumed.failure.as_ref().is_some_and(|failure| failure.kind() != FailureKind::Later);
        tally.failures.fetch_add(u64::from(failed), Relaxed);
        consumed
    }

    fn set_aside(&mut self, failing: Failing, wait: Duration) {
        self.consumer.tally.aside.fetch_add(1, Relaxed);
        self.aside.put(failing, wait);
    }

    /// Lets the plugin tidy up.
    pub(super) fn stop(self) {
        let Self { consumer, instance, hand, .. } = self;
        if let Err(panic) = consumer.tally.calls.hold(&hand, || instance.stop()) {
            tracing::error!(consumer = %consumer.name, error = %panic, "consumer did not stop cleanly");
        }
    }

    /// Decides on a message that was not finished, and records a failed attempt.
    fn failed(
        &mut self,
        failing: &mut Failing,
        entry: &Entry<'_>,
        failure: &Failure,
        took: Duration,
        on_retry: OnRetry,
    ) -> Result<Fate, Cut> {
        if failure.kind() == FailureKind::Stop {
            tracing::error!(
                consumer = %self.consumer.name, error = failure.reason(), offset = entry.offset().0,
                "consumer asked to be stopped; it gets no more messages until the hub is reloaded or restarted"
            );
            return Err(Cut::Ended);
        }
        if failure.kind() == FailureKind::Later {
            return self.again(failing, entry, failure, true);
        }
        failing.attempts += 1;
        let attempt = Attempt {
            consumer: self.consumer.name.to_string(),
            attempts: failing.attempts,
            took,
            reason: reason(failure),
        };
        if failure.kind() == FailureKind::Drop {
            self.consumer.record(entry.offset(), Ending::Dropped(attempt));
            self.unbury(failing)?;
            self.gave_up(entry, Dropped::ByPlugin, failing, failure);
            return Ok(Fate::Over);
        }
        // Counted on after a restart and after the operator's requeue, which gives it as many attempts again.
        if !failing.attempts.is_multiple_of(self.consumer.options.max_attempts) {
            self.consumer.tally.retries.fetch_add(1, Relaxed);
            self.consumer.record(entry.offset(), Ending::Retried(attempt));
            return self.again(failing, entry, failure, on_retry == OnRetry::Continue);
        }
        self.consumer.record(entry.offset(), Ending::DeadLettered(attempt));
        self.bury(failing, failure, false)?;
        self.gave_up(entry, Dropped::DeadLettered, failing, failure);
        Ok(Fate::Over)
    }

    /// Has it delivered again, and sets it aside until then if others may pass it.
    fn again(
        &mut self,
        failing: &mut Failing,
        entry: &Entry<'_>,
        failure: &Failure,
        others_pass: bool,
    ) -> Result<Fate, Cut> {
        let wait = failure.retry_after().unwrap_or_else(|| self.backoff.after(failing.attempts));
        tracing::debug!(
            consumer = %self.consumer.name, offset = entry.offset().0, reason = failure.reason(), retry_in = ?wait,
            attempts = failing.attempts, "retry"
        );
        if failing.aside || others_pass && self.aside.has_room() {
            failing.aside = true;
            self.bury(failing, failure, true)?;
            self.set_aside(*failing, wait);
            return Ok(Fate::Over);
        }
        Ok(Fate::Again(wait))
    }

    fn gave_up(&mut self, entry: &Entry<'_>, reason: Dropped, failing: &Failing, failure: &Failure) {
        self.consumer.tally.dropped.add(reason, 1);
        if let Some(suppressed) = self.failures.pass() {
            tracing::error!(
                consumer = %self.consumer.name, topic = entry.topic(), endpoint = entry.endpoint(),
                offset = entry.offset().0, reason = reason.word(), attempts = failing.attempts,
                error = failure.reason(), suppressed, "message given up"
            );
        }
    }

    fn bury(&mut self, failing: &mut Failing, failure: &Failure, requeued: bool) -> Result<(), Cut> {
        failing.buried = true;
        let letter = DeadLetter { requeued, ..self.letter(failing, reason(failure)) };
        for gone in self.insist(|journal| journal.bury(letter.clone()))? {
            self.forgot(gone);
        }
        Ok(())
    }

    /// A dead letter, perhaps another consumer's, had to go for want of memory.
    fn forgot(&mut self, letter: DeadLetter) {
        let DeadLetter { offset, consumer, attempts, error, .. } = letter;
        if let Some(suppressed) = self.failures.pass() {
            tracing::error!(
                consumer,
                offset = offset.0,
                error,
                suppressed,
                "dead letter dropped: there are more than journal.memory_bytes of them"
            );
        }
        let reason = format!("memory was full of dead letters; {error}");
        let attempt = Attempt { consumer, attempts, took: Duration::ZERO, reason };
        self.consumer.record(offset, Ending::Dropped(attempt));
    }

    fn letter(&self, failing: &Failing, error: String) -> DeadLetter {
        DeadLetter {
            offset: failing.offset,
            consumer: self.consumer.name.to_string(),
            attempts: failing.attempts,
            first: failing.first,
            last: SystemTime::now(),
            error,
            requeued: true,
            in_hand: false,
        }
    }

    fn unbury(&mut self, failing: &Failing) -> Result<(), Cut> {
        if !failing.buried {
            return Ok(());
        }
        let name = Arc::clone(&self.consumer.name);
        self.insist(|journal| journal.unbury(failing.offset, &name).map(drop))
    }

    /// Writes what must not be missing, and if the disk is full waits until it is not.
    fn insist<T>(&mut self, write: impl Fn(&Journal) -> Result<T, JournalError>) -> Result<T, Cut> {
        let mut failures = 0;
        loop {
            let error = match write(&self.consumer.journal) {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            self.complain(&error);
            failures += 1;
            self.consumer.calls.pause(Backoff::default().after(failures))?;
        }
    }

    fn complain(&mut self, error: &JournalError) {
        if let Some(suppressed) = self.failures.pass() {
            tracing::error!(consumer = %self.consumer.name, %error, suppressed, "the journal does not work");
        }
    }
}

impl Failing {
    fn new(offset: Offset, replayed: bool) -> Self {
        let (buried, aside, in_hand) = (false, false, false);
        Self { offset, attempts: 0, first: SystemTime::now(), buried, aside, in_hand, replayed }
    }
}

fn reason(failure: &Failure) -> String {
    match failure.kind() {
        FailureKind::Panic => format!("panicked: {}", failure.reason()),
        _ => failure.reason().to_owned(),
    }
}

fn delivery<'a>(entry: &Parcel<'a>, attempt: u32, replayed: bool) -> Delivery<'a> {
    let (verdict, signer) = entry.signature();
    Delivery {
        topic: entry.topic(),
        body: entry.body(),
        endpoint: entry.endpoint(),
        received: entry.received(),
        offset: entry.offset().0,
        attempt,
        replayed,
        verdict,
        signer,
    }
}
