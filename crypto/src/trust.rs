//! The anchors of the moment: read when the files change, looked at no more often than needed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::anchors::Anchors;
use crate::files::{Fingerprints, TrustFiles};
use crate::load::AnchorError;

/// The files, and what was last read from them. May be used by many threads at once.
pub(crate) struct Trust {
    pub(crate) files: TrustFiles,
    recheck: Duration,
    began: Instant,
    /// When to look at the files again, in milliseconds since `began`.
    next_look: AtomicU64,
    state: RwLock<Arc<State>>,
}

pub(crate) struct State {
    seen: Fingerprints,
    pub(crate) anchors: Result<Anchors, Arc<AnchorError>>,
}

impl State {
    fn load(files: &TrustFiles) -> Arc<Self> {
        // Looked at before they are read: a change in between is noticed the next time.
        let seen = files.fingerprints();
        let anchors = Anchors::load(files).map_err(Arc::new);
        match &anchors {
            Ok(_) => {
                tracing::info!(ca = %files.ca.display(), crl = ?files.crl, "read what signatures are trusted by");
            }
            Err(error) => tracing::error!("{error}"),
        }
        Arc::new(Self { seen, anchors })
    }
}

impl Trust {
    pub(crate) fn new(files: TrustFiles, recheck: Duration) -> Self {
        let state = RwLock::new(State::load(&files));
        let next_look = AtomicU64::new(millis(recheck));
        Self { files, recheck, began: Instant::now(), next_look, state }
    }

    /// What was read from the files as they are now, or were not longer than `recheck` ago.
    pub(crate) fn current(&self) -> Arc<State> {
        let state = self.state();
        if !self.is_due() || self.files.fingerprints() == state.seen {
            return state;
        }
        let fresh = State::load(&self.files);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        fresh
    }

    /// Why nothing is trusted now, if that is so.
    pub(crate) fn trouble(&self) -> Option<Arc<AnchorError>> {
        match &self.current().anchors {
            Ok(anchors) => anchors.out_of_date(&self.files).map(Arc::new),
            Err(error) => Some(Arc::clone(error)),
        }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is time to look at the files, and this thread's turn.
    fn is_due(&self) -> bool {
        let now = millis(self.began.elapsed());
        let next = self.next_look.load(Relaxed);
        now >= next
            && self.next_look.compare_exchange(next, now + millis(self.recheck), Relaxed, Relaxed).is_ok()
    }
}

fn millis(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap_or(u64::MAX / 2)
}
