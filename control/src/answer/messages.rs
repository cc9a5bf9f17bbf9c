//! Messages, and where some are missing.

use std::collections::VecDeque;
use std::ops::Range;

use journal::Entry;
use message::Pattern;

use super::{Beat, Each, Pace, tell};
use crate::reply::{Gap, Message};
use crate::view::{Piece, View};
use crate::{ControlError, Reply, Span};

/// As many messages are looked through at first for the last ones of some topics.
const FIRST_LOOK: u64 = 1024;

/// Tells the messages of a span, and returns the offset behind it, where a follower goes on.
pub(crate) fn messages(
    view: View<'_>,
    span: &Span,
    last: Option<u64>,
    topics: &[Pattern],
    each: &mut Each<'_>,
) -> Result<u64, ControlError> {
    let mut offsets = view.resolve(span)?;
    if let Some(last) = last {
        offsets.start = start_of_last(view, &offsets, last, topics, each)?;
    } else if let Some(gap) = view.absent(span, &offsets) {
        tell(each, Reply::Gap(gap))?;
    }
    let mut pace = Pace::new(offsets.end - offsets.start);
    for piece in view.pieces(offsets.clone()) {
        let piece = piece?;
        tell_piece(&piece, &offsets, topics, each)?;
        pace.tell(piece.end().min(offsets.end) - offsets.start, each)?;
    }
    Ok(offsets.end)
}

/// Tells what of a piece is wanted.
pub(crate) fn tell_piece(
    piece: &Piece,
    offsets: &Range<u64>,
    topics: &[Pattern],
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    match piece {
        Piece::Batch(batch) => {
            for entry in batch.iter().filter(|entry| is_wanted(entry, offsets, topics)) {
                tell(each, Reply::Message(Message::new(&entry)))?;
            }
            Ok(())
        }
        Piece::Gap(missing, cause) => tell(each, Reply::Gap(Gap::new(missing.clone(), *cause))),
    }
}

fn is_wanted(entry: &Entry<'_>, offsets: &Range<u64>, topics: &[Pattern]) -> bool {
    offsets.contains(&entry.offset().0)
        && (topics.is_empty() || topics.iter().any(|topic| topic.matches(entry.topic())))
}

/// From where on there are as many messages of these topics. Looks from the end, in steps that grow, so that the last
/// messages of a large journal are found without reading it all.
fn start_of_last(
    view: View<'_>,
    offsets: &Range<u64>,
    mut last: u64,
    topics: &[Pattern],
    each: &mut Each<'_>,
) -> Result<u64, ControlError> {
    let mut beat = Beat::new();
    let (mut end, mut look) = (offsets.end, last.max(FIRST_LOOK));
    while last > 0 && end > offsets.start {
        let part = end.saturating_sub(look).max(offsets.start)..end;
        let mut found = VecDeque::new();
        for piece in view.pieces(part.clone()) {
            let Piece::Batch(batch) = piece? else { continue };
            beat.tell(each)?;
            for entry in batch.iter().filter(|entry| is_wanted(entry, &part, topics)) {
                if found.len() as u64 == last {
                    found.pop_front();
                }
                found.push_back(entry.offset().0);
            }
        }
        last -= found.len() as u64;
        match found.front() {
            Some(first) if last == 0 => return Ok(*first),
            _ => (end, look) = (part.start, look.saturating_mul(4)),
        }
    }
    Ok(end)
}
