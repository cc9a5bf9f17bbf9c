//! What one subscriber, one address and all of them may take of this machine.

use std::time::Duration;

use plugin_api::tracing;
use rustix::process::{Resource, getrlimit};

/// So much, and no more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// So many messages wait for one subscriber.
    pub(crate) messages: usize,
    /// So many bytes wait for one subscriber.
    pub(crate) bytes: usize,
    /// So many bytes are kept for all who are behind, and those of one batch more.
    pub(crate) total_bytes: usize,
    /// So many subscribers.
    pub(crate) subscribers: usize,
    /// So many of one address; 0 for any number.
    pub(crate) per_address: usize,
    /// Who has taken nothing of what waits, or wanted nothing, for so long is disconnected.
    pub(crate) stalled_after: Duration,
}

impl Limits {
    /// The same, with no more subscribers than take half of the files that this process may open. The other half is for
    /// what the hub does: without a file for its journal, it takes nothing in.
    pub(crate) fn within_open_files(self) -> Self {
        self.within(getrlimit(Resource::Nofile).current)
    }

    fn within(self, files: Option<u64>) -> Self {
        let half = files.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
        if self.subscribers > half {
            tracing::warn!(
                max_subscribers = half,
                configured = self.subscribers,
                "`max_subscribers` is lowered to half of the files that the hub may open; lower it, or raise `LimitNOFILE=` \
                 of the service, `ulimit -Hn` of a shell"
            );
        }
        Self { subscribers: self.subscribers.min(half), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribers_take_half_of_the_open_files_at_most() {
        let limits = Limits {
            messages: 1,
            bytes: 1,
            total_bytes: 1,
            subscribers: 4096,
            per_address: 1,
            stalled_after: Duration::ZERO,
        };
        for (files, subscribers) in
            [(Some(1024), 512), (Some(8192), 4096), (Some(u64::MAX), 4096), (None, 4096)]
        {
            assert_eq!(limits.within(files).subscribers, subscribers, "{files:?}");
        }
    }
}
