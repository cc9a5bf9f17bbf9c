//! The options that say which part of the journal is meant.

use clap::Args;
use control::{Bound, Span};
use jiff::Timestamp;

use super::time;

/// From where to where.
#[derive(Debug, Clone, Copy, Args)]
pub struct Part {
    /// Begin with this message.
    #[arg(long, value_name = "OFFSET", conflicts_with = "since")]
    from: Option<u64>,
    /// Begin with what was received at or after this time: 2026-11-20T10:00:00Z, "2026-11-20 10:00" (here), "2h ago",
    /// -2h.
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// End before this message.
    #[arg(long, value_name = "OFFSET", conflicts_with = "until")]
    to: Option<u64>,
    /// End before what was received at or after this time.
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
}

impl Part {
    pub(super) fn span(&self) -> Span {
        let bound = |offset: Option<u64>, time: Option<Timestamp>| {
            offset.map(Bound::Offset).or(time.map(Bound::Time))
        };
        Span { from: bound(self.from, self.since), to: bound(self.to, self.until) }
    }
}
