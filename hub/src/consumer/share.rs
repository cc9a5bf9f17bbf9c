//! Messages on their way to a consumer's instances, and what happens when all of them are dealt with.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use journal::{Batch, Cursor, Entry, Offset};
use plugin_api::Verdict;

use super::replay::Listener;
use crate::mark;

/// Some messages of a batch.
#[derive(Debug)]
pub(super) struct Share {
    /// What they are in.
    pub(super) batch: Batch,
    /// Which of them.
    pub(super) picks: Picks,
    /// How they are to be handed over.
    pub(super) manner: Manner,
}

/// How messages are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In batches.
    Usual,
    /// The same, as history that was asked for again.
    Replayed,
    /// One by one, with a note that each is in the consumer's hand: the hub may have ended by one of them.
    Suspect,
}

impl Share {
    /// The messages.
    pub(super) fn parcels(&self) -> Vec<Parcel<'_>> {
        let mut all = self.batch.iter();
        let mut passed = 0;
        let each = self.picks.places.iter().filter_map(|pick| {
            let entry = all.nth(pick - passed)?;
            passed = pick + 1;
            Some(Parcel { entry, signer: self.picks.signers.get(pick).map(|signer| &**signer) })
        });
        each.collect()
    }
}

/// Messages of a batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Picks {
    /// Their places in it.
    pub(super) places: Vec<usize>,
    /// By place, who signed those of which that is known only now.
    pub(super) signers: BTreeMap<usize, Arc<str>>,
}

/// A message, and what is known of its signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parcel<'s> {
    pub(super) entry: Entry<'s>,
    /// Whose signature was found valid after the message had come.
    pub(super) signer: Option<&'s str>,
}

impl<'s> Parcel<'s> {
    /// The verdict, and who signed the message.
    pub(super) fn signature(&self) -> (Verdict, &'s str) {
        self.signer.map_or_else(|| mark::verdict(&self.entry), |signer| (Verdict::Valid, signer))
    }
}

impl<'s> Deref for Parcel<'s> {
    type Target = Entry<'s>;

    fn deref(&self) -> &Entry<'s> {
        &self.entry
    }
}

/// What happens when messages are dealt with.
#[derive(Debug, Clone)]
pub(super) enum Then {
    /// The cursor moves.
    Commit(Cursor, Offset),
    /// The operator is told.
    Tell(Arc<Listener>, Offset),
}

impl Then {
    /// The same for what ends earlier.
    pub(super) fn at(&self, end: Offset) -> Self {
        match self {
            Self::Commit(cursor, _) => Self::Commit(cursor.clone(), end),
            Self::Tell(listener, _) => Self::Tell(Arc::clone(listener), end),
        }
    }

    /// All are dealt with; so many messages since it was last said of some.
    pub(super) fn all(&self, count: usize) {
        let (Self::Commit(_, end) | Self::Tell(_, end)) = self;
        self.some(*end, count);
    }

    /// All before `offset` are dealt with; so many messages since it was last said.
    pub(super) fn some(&self, offset: Offset, count: usize) {
        match self {
            Self::Commit(cursor, _) => cursor.commit(offset),
            Self::Tell(listener, _) => listener.tell(offset, count as u64),
        }
    }
}
