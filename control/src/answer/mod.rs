//! The answers that end by themselves. They are the same whether a hub runs or not.

mod letters;
mod messages;
mod stats;
mod verify;

use std::io;
use std::time::{Duration, Instant};

use journal::{Journal, JournalError, Offset, OutcomeFilter};

pub(crate) use letters::{dead_letters, purge, purgeable, requeue};
pub(crate) use messages::{messages, tell_piece};
pub(crate) use stats::stats;
pub(crate) use verify::verify;

use crate::reply::{Progress, time};
use crate::view::View;
use crate::{Bound, ControlError, Hub, Refusal, Reply, Span};

/// Takes one line of an answer; an error ends the answer.
pub(crate) type Each<'e> = dyn FnMut(Reply<'_>) -> io::Result<()> + 'e;

/// Gives a line on.
pub(crate) fn tell(each: &mut Each<'_>, reply: Reply<'_>) -> Result<(), ControlError> {
    each(reply).map_err(ControlError::Output)
}

/// How often progress is told.
pub(crate) const PACE: Duration = Duration::from_millis(200);

/// A hub that is at work says at least this often that it is. Clients give up after several times as long.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// Says now and then that there is work under way whose end is not known.
pub(crate) struct Beat(Instant);

impl Beat {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn tell(&mut self, each: &mut Each<'_>) -> Result<(), ControlError> {
        if self.0.elapsed() < BEAT {
            return Ok(());
        }
        self.0 = Instant::now();
        tell(each, Reply::Alive {})
    }
}

/// Tells progress, but not too often.
pub(crate) struct Pace {
    of: u64,
    told: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(of: u64) -> Self {
        Self { of, told: None }
    }

    pub(crate) fn tell(&mut self, done: u64, each: &mut Each<'_>) -> Result<(), ControlError> {
        if self.told.is_some_and(|told| told.elapsed() < PACE) {
            return Ok(());
        }
        self.told = Some(Instant::now());
        tell(each, Reply::Progress(Progress { done, of: self.of }))
    }
}

pub(crate) fn outcomes(
    view: View<'_>,
    span: &Span,
    consumer: Option<String>,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    let (mut from, mut to) = (None, None);
    let mut filter = OutcomeFilter { consumer, ..OutcomeFilter::default() };
    match span.from {
        Some(Bound::Offset(offset)) => from = Some(offset),
        Some(Bound::Time(since)) => filter.since = Some(time(since)),
        None => {}
    }
    match span.to {
        Some(Bound::Offset(offset)) => to = Some(offset),
        Some(Bound::Time(until)) => filter.until = Some(time(until)),
        None => {}
    }
    if from.is_some() || to.is_some() {
        filter.offsets = Some(Offset(from.unwrap_or(0))..Offset(to.unwrap_or(u64::MAX)));
    }
    let mut beat = Beat::new();
    // Filtered here, so that a search that finds nothing for long is heard of.
    for outcome in view.outcomes(OutcomeFilter::default())? {
        let outcome = outcome?;
        beat.tell(each)?;
        if filter.wants(&outcome) {
            tell(each, Reply::Outcome(outcome.into()))?;
        }
    }
    Ok(())
}

pub(crate) fn forget(journal: &Journal, hub: Option<&dyn Hub>, consumer: &str) -> Result<(), ControlError> {
    if hub.is_some_and(|hub| hub.is_running(consumer)) {
        return Err(Refusal::ConsumerRuns { consumer: consumer.to_owned() }.into());
    }
    journal.forget(consumer).map_err(|error| match error {
        JournalError::UnknownConsumer { name } => Refusal::UnknownConsumer { consumer: name }.into(),
        other => ControlError::from(other),
    })
}
