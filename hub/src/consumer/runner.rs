//! A consumer's thread: starts the plugin, feeds it from the inbox, deals with its failures, stops it.
//!
//! Messages are handed over in order; one that is retried holds those behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use plugin_api::loader::Declared;
use plugin_api::{Delivery, Failure, FailureKind, Host, Instance, StartError};

use super::options::{ConsumerOptions, OnStartError};
use super::{ConsumerName, Received, Tally};
use crate::outcome::Dropped;
use crate::throttle::Throttle;

/// As many messages cross the border at once at most.
const BATCH: usize = 256;

/// A batch that takes longer is made smaller, so that a slow consumer can be stopped, and is counted, message by
/// message.
const LONG: Duration = Duration::from_millis(20);

/// What the thread tells the hub.
#[derive(Debug)]
pub enum Event {
    /// The plugin is started, or needn't be for the hub to be ready.
    Ready(ConsumerName),
    /// The plugin did not start, and the hub shall not run without it.
    StartFailed(ConsumerName, StartError),
    /// The thread is at its end.
    Ended(ConsumerName),
}

/// Everything that the thread needs.
pub struct Runner {
    /// The consumer's name.
    pub name: ConsumerName,
    /// Its plugin.
    pub declared: Declared,
    /// The plugin's configuration, as JSON.
    pub config: String,
    /// The operator's decisions about it.
    pub options: ConsumerOptions,
    /// The hub as the plugin sees it.
    pub host: Arc<dyn Host>,
    /// Its messages; closed when no more will come.
    pub inbox: Receiver<Arc<Received>>,
    /// Closed when the hub can't wait any longer.
    pub halt: Receiver<()>,
    /// Closed when the hub begins to stop: what has not started by then is not tried again.
    pub stopping: Receiver<()>,
    /// What becomes of the messages.
    pub tally: Arc<Tally>,
    /// Where to report to.
    pub events: tokio::sync::mpsc::UnboundedSender<Event>,
}

impl Runner {
    /// Runs until the inbox is closed and empty, the hub halts, or the plugin gives up.
    pub fn run(mut self) {
        let _ended = Ended { name: self.name.clone(), events: self.events.clone() };
        let reason = match self.start() {
            Some(instance) => {
                self.report(Event::Ready(self.name.clone()));
                self.feed(instance)
            }
            None if closed_within(&self.stopping, Duration::ZERO) => Dropped::Undelivered,
            None => Dropped::ConsumerEnded,
        };
        self.tally.dropped.add(reason, self.inbox.try_iter().count() as u64);
    }

    fn report(&self, event: Event) {
        // Nobody listens any more once the hub is past its deadline.
        drop(self.events.send(event));
    }

    /// The started plugin; `None` when the hub does without, is stopping, or was told of the failure.
    fn start(&mut self) -> Option<Instance> {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            let error = match self.declared.start(&self.config, Arc::clone(&self.host)) {
                Ok(instance) => {
                    if told {
                        tracing::info!(consumer = %self.name, "consumer started");
                    }
                    return Some(instance);
                }
                Err(error) => error,
            };
            match self.options.on_start_error {
                OnStartError::Retry if error.is_retryable() => {
                    let wait = backoff.next();
                    tracing::warn!(
                        consumer = %self.name, error = error.reason(), retry_in = ?wait, "consumer did not start"
                    );
                    if !std::mem::replace(&mut told, true) {
                        self.report(Event::Ready(self.name.clone()));
                    }
                    if closed_within(&self.stopping, wait) {
                        return None;
                    }
                }
                OnStartError::Ignore => {
                    tracing::error!(
                        consumer = %self.name, error = error.reason(),
                        "consumer did not start; the hub runs without it, as on_start_error = \"ignore\" says"
                    );
                    self.report(Event::Ready(self.name.clone()));
                    return None;
                }
                OnStartError::Fail | OnStartError::Retry => {
                    self.report(Event::StartFailed(self.name.clone(), error));
                    return None;
                }
            }
        }
    }

    /// Feeds the plugin until the inbox is closed and empty, and stops it. Why what is left is not delivered.
    fn feed(&mut self, mut instance: Instance) -> Dropped {
        let mut batch = Vec::with_capacity(BATCH);
        let mut size = 1;
        let mut failures = Throttle::default();
        let mut reason = Dropped::Undelivered;
        while let Ok(first) = self.inbox.recv() {
            batch.push(first);
            batch.extend(self.inbox.try_iter().take(size - 1));
            let started = Instant::now();
            if let Err(Cut { left, why }) = self.hand_over(&mut instance, &batch, &mut failures) {
                self.tally.dropped.add(why, left as u64);
                reason = why;
                break;
            }
            size = if started.elapsed() > LONG { size.div_ceil(2) } else { (size * 2).min(BATCH) };
            batch.clear();
        }
        if let Err(panic) = instance.stop() {
            tracing::error!(consumer = %self.name, error = %panic, "consumer did not stop cleanly");
        }
        reason
    }

    /// Hands a batch over until all of it has an end, or the consumer goes no further.
    fn hand_over(
        &self,
        instance: &mut Instance,
        batch: &[Arc<Received>],
        failures: &mut Throttle,
    ) -> Result<(), Cut> {
        let mut done = 0;
        let mut attempt = 1;
        let mut backoff = Backoff::default();
        while done < batch.len() {
            if closed_within(&self.halt, Duration::ZERO) {
                return Err(Cut { left: batch.len() - done, why: Dropped::Undelivered });
            }
            // A message that is retried goes alone, so that only it is on a later attempt.
            let end = if attempt > 1 { done + 1 } else { batch.len() };
            let deliveries: Vec<_> =
                batch[done..end].iter().map(|message| delivery(message, attempt)).collect();
            let consumed = instance.consume(&deliveries);
            self.tally.finished.fetch_add(consumed.done as u64, Relaxed);
            done += consumed.done;
            if consumed.done > 0 {
                attempt = 1;
                backoff = Backoff::default();
            }
            let Some(failure) = consumed.failure else { continue };
            match self.verdict(&failure, attempt) {
                Verdict::Again => {
                    attempt += 1;
                    self.tally.retries.fetch_add(1, Relaxed);
                    let wait = failure.retry_after().unwrap_or_else(|| backoff.next());
                    tracing::debug!(consumer = %self.name, reason = failure.reason(), retry_in = ?wait, attempt, "retry");
                    if closed_within(&self.halt, wait) {
                        return Err(Cut { left: batch.len() - done, why: Dropped::Undelivered });
                    }
                }
                Verdict::Give(reason) => {
                    self.tally.dropped.add(reason, 1);
                    if let Some(suppressed) = failures.pass() {
                        tracing::error!(
                            consumer = %self.name, topic = %batch[done].topic, endpoint = %batch[done].endpoint,
                            reason = reason.word(), attempt, error = failure.reason(), suppressed,
                            "message dropped"
                        );
                    }
                    (done, attempt, backoff) = (done + 1, 1, Backoff::default());
                }
                Verdict::End => {
                    tracing::error!(
                        consumer = %self.name, error = failure.reason(),
                        "consumer asked to be stopped; it gets no more messages until the hub is restarted"
                    );
                    return Err(Cut { left: batch.len() - done, why: Dropped::ConsumerEnded });
                }
            }
        }
        Ok(())
    }

    fn verdict(&self, failure: &Failure, attempt: u32) -> Verdict {
        match failure.kind() {
            FailureKind::Retry if attempt < self.options.max_attempts => Verdict::Again,
            FailureKind::Retry => Verdict::Give(Dropped::GaveUp),
            FailureKind::Drop => Verdict::Give(Dropped::ByPlugin),
            FailureKind::Panic => Verdict::Give(Dropped::Panicked),
            FailureKind::Stop => Verdict::End,
        }
    }
}

/// Waits, and says whether the channel was closed meanwhile.
fn closed_within(channel: &Receiver<()>, wait: Duration) -> bool {
    if wait.is_zero() {
        return matches!(channel.try_recv(), Err(TryRecvError::Disconnected));
    }
    matches!(channel.recv_timeout(wait), Err(RecvTimeoutError::Disconnected))
}

/// Says at the thread's end, whatever brings it about, that it is there.
struct Ended {
    name: ConsumerName,
    events: tokio::sync::mpsc::UnboundedSender<Event>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.events.send(Event::Ended(self.name.clone())));
    }
}

/// A batch that was not handed over whole.
struct Cut {
    left: usize,
    why: Dropped,
}

/// What to do with a message that failed.
enum Verdict {
    Again,
    Give(Dropped),
    End,
}

fn delivery(message: &Received, attempt: u32) -> Delivery<'_> {
    Delivery {
        received: message.at,
        attempt,
        ..Delivery::new(&message.topic, &message.body, message.endpoint.as_str())
    }
}

/// Waits that double from 100 ms to a minute, each shortened at random by up to a half, so that consumers of
/// the same broken service don't come back to it all at once.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let wait = self.0.mul_f64(1.0 - fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(Duration::from_secs(60));
        wait
    }
}
