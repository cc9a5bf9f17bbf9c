//! Dead letters: shown, delivered again, removed.

use std::collections::HashSet;

use journal::{Batch, DeadLetter, Journal, Offset};

use super::{Each, Pace, tell};
use crate::reply::{self, Message, Requeued};
use crate::view::View;
use crate::{ControlError, Hub, Refusal, Reply, Selection};

pub(crate) fn dead_letters(
    view: View<'_>,
    selection: &Selection,
    messages: bool,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    for letter in select(view, selection)? {
        let batch: Option<Batch> = if messages { view.get(letter.offset.0)? } else { None };
        let message = batch.as_ref().and_then(|batch| batch.iter().next()).map(|entry| Message::new(&entry));
        tell(each, Reply::DeadLetter(reply::DeadLetter { message, ..reply::DeadLetter::new(&letter) }))?;
    }
    Ok(())
}

pub(crate) fn requeue(
    journal: &Journal,
    hub: Option<&dyn Hub>,
    selection: &Selection,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    let mut letters = select(View::Journal(journal), selection)?;
    // A second delivery beside the first would be one too many.
    letters.retain(|letter| !letter.requeued);
    let mut pace = Pace::new(letters.len() as u64);
    for (done, DeadLetter { offset, consumer, .. }) in (0..).zip(letters) {
        pace.tell(done, each)?;
        // It may have been purged in between.
        if journal.requeue(offset, &consumer)?.is_some() {
            let now = hub.is_some_and(|hub| hub.redeliver(&consumer, offset));
            tell(each, Reply::Requeued(Requeued { offset: offset.0, consumer, now }))?;
        }
    }
    Ok(journal.flush()?)
}

/// Tells which letters a purge would remove.
pub(crate) fn purgeable(
    view: View<'_>,
    selection: &Selection,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    select_purgeable(view, selection)?.iter().try_for_each(|letter| tell_letter(letter, each))
}

pub(crate) fn purge(
    journal: &Journal,
    selection: &Selection,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    let letters = select_purgeable(View::Journal(journal), selection)?;
    let chosen: HashSet<(Offset, &str)> =
        letters.iter().map(|letter| (letter.offset, letter.consumer.as_str())).collect();
    let gone = journal.purge(|letter| chosen.contains(&(letter.offset, letter.consumer.as_str())))?;
    gone.iter().try_for_each(|letter| tell_letter(letter, each))?;
    Ok(journal.flush()?)
}

fn tell_letter(letter: &DeadLetter, each: &mut Each<'_>) -> Result<(), ControlError> {
    tell(each, Reply::DeadLetter(reply::DeadLetter::new(letter)))
}

/// Those that may go. One that is to be delivered again is as good as a message that was not dealt with yet.
fn select_purgeable(view: View<'_>, selection: &Selection) -> Result<Vec<DeadLetter>, Refusal> {
    let mut letters = select(view, selection)?;
    if selection.offsets.is_empty() {
        let waiting: HashSet<String> = view.consumers().into_iter().map(|cursor| cursor.consumer).collect();
        letters.retain(|letter| !(letter.requeued && waiting.contains(&letter.consumer)));
    }
    Ok(letters)
}

/// Those that are selected; each one that is named has to be there.
fn select(view: View<'_>, selection: &Selection) -> Result<Vec<DeadLetter>, Refusal> {
    let Selection { consumer, offsets } = selection;
    let mut letters = view.dead_letters();
    letters.retain(|letter| consumer.as_ref().is_none_or(|name| *name == letter.consumer));
    if offsets.is_empty() {
        return Ok(letters);
    }
    let there: HashSet<u64> = letters.iter().map(|letter| letter.offset.0).collect();
    match offsets.iter().find(|offset| !there.contains(offset)) {
        Some(&offset) => Err(Refusal::NoDeadLetter { offset, consumer: consumer.clone() }),
        None => {
            let wanted: HashSet<u64> = offsets.iter().copied().collect();
            letters.retain(|letter| wanted.contains(&letter.offset.0));
            Ok(letters)
        }
    }
}
