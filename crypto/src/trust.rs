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
    /// Says what it finds, unless that is the same trouble as before.
    fn load(files: &TrustFiles, before: Option<&Self>) -> Self {
        // Looked at before they are read: a change in between is noticed the next time.
        let seen = files.fingerprints();
        let anchors = Anchors::load(files).map_err(Arc::new);
        let trouble = |anchors: &Result<_, Arc<AnchorError>>| anchors.as_ref().err().map(ToString::to_string);
        match trouble(&anchors) {
            None => {
                tracing::info!(ca = %files.ca.display(), crl = ?files.crl, "read what signatures are trusted by");
            }
            Some(error) if before.is_some_and(|before| trouble(&before.anchors).as_ref() == Some(&error)) => {
            }
            Some(error) => tracing::error!("{error}"),
        }
        Self { seen, anchors }
    }
}

impl Trust {
    pub(crate) fn new(files: TrustFiles, recheck: Duration) -> Self {
        let state = RwLock::new(Arc::new(State::load(&files, None)));
        let next_look = AtomicU64::new(millis(recheck));
        Self { files, recheck, began: Instant::now(), next_look, state }
    }

    /// What was read from the files as they are now, or were not longer than `recheck` ago.
    pub(crate) fn current(&self) -> Arc<State> {
        let state = self.state();
        // What could not be read may be readable though it has not changed: for want of file descriptors, or a bad disk.
        if !self.is_due() || state.anchors.is_ok() && self.files.fingerprints() == state.seen {
            return state;
        }
        let fresh = Arc::new(State::load(&self.files, Some(&state)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Reason;
    use crate::{Development, make_development_ca};

    #[test]
    fn what_could_not_be_read_once_is_read_again_though_the_files_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let made = make_development_ca(folder.path(), &Development::default()).unwrap();
        let trust = Trust::new(TrustFiles { ca: made.ca, crl: Some(made.crl) }, Duration::ZERO);
        let problem = std::io::Error::from_raw_os_error(24);
        let error = AnchorError { path: folder.path().to_owned(), reason: Reason::CaUnavailable, problem };
        let failed = State { seen: trust.files.fingerprints(), anchors: Err(Arc::new(error)) };
        *trust.state.write().unwrap() = Arc::new(failed);
        let state = trust.current();
        assert!(state.anchors.is_ok());
        assert!(Arc::ptr_eq(&state, &trust.current()), "read again for nothing");
    }
}
