//! Reads everything, to know that it can be read.

use super::{Each, Pace, tell};
use crate::reply::{Gap, Verified};
use crate::view::{Piece, View};
use crate::{ControlError, Reply};

pub(crate) fn verify(view: View<'_>, each: &mut Each<'_>) -> Result<(), ControlError> {
    let offsets = view.bounds();
    let mut pace = Pace::new(offsets.end - offsets.start);
    let mut found = Verified { messages: 0, missing: 0 };
    for piece in view.pieces(offsets.clone()) {
        let piece = piece?;
        match &piece {
            Piece::Batch(batch) => {
                let there = batch.iter().filter(|entry| offsets.contains(&entry.offset().0));
                found.messages += there.count() as u64;
            }
            Piece::Gap(missing, cause) => {
                found.missing += missing.end - missing.start;
                tell(each, Reply::Gap(Gap::new(missing.clone(), *cause)))?;
            }
        }
        pace.tell(piece.end().min(offsets.end) - offsets.start, each)?;
    }
    tell(each, Reply::Verified(found))
}
