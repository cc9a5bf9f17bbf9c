#![forbid(unsafe_code)]
//! What the hub received, kept: an append-only log of messages with offsets, and beside it where each consumer is,
//! what became of messages, and those that no delivery could help.
//!
//! It knows bytes, offsets and consumers' names; nothing of plugins and nothing of the network.
//!
//! ```
//! use std::time::SystemTime;
//! use journal::{Journal, Next, Opened, Options, Record, Start};
//!
//! # let state = tempfile::tempdir()?;
//! let Opened { journal, mut appender, recovery } = Journal::open(state.path(), &Options::default())?;
//! assert!(recovery.is_clean());
//! let cursor = journal.register("dummy", Start::New)?;
//! let record = Record {
//!     received: SystemTime::now(),
//!     endpoint: "bus",
//!     flags: 0,
//!     note: b"",
//!     topic: "org.example.dev.logger.log",
//!     body: b"{}",
//! };
//! appender.append(&[record, record])?;
//!
//! let mut reader = cursor.reader();
//! if let Next::Batch(batch) = reader.next_batch(256, None)? {
//!     for entry in batch.iter() {
//!         assert_eq!(entry.body(), b"{}");
//!     }
//!     cursor.commit(batch.end());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//! - [`Appender::append`] is one write. When it has returned, the messages survive the end of the process, however it
//!   ends; after `sync_interval` also a loss of power. A write that fails leaves nothing behind and can be repeated.
//! - What the disk fails to confirm counts as not written. It is written again, and until that is confirmed nothing more
//!   is appended and no cursor on disk passes it.
//! - An offset names one message for ever. Readers get every message in order, and are told of each that is no longer
//!   there ([`Next::Gap`]): nothing is passed over in silence.
//! - [`Cursor::commit`] is on disk with the next group commit, after everything it stands behind: after a crash
//!   nothing is skipped, and what wasn't committed is repeated.
//! - Whatever the bytes of the files are, the journal opens. A torn tail is cut, damage is stepped over; both are named
//!   in the [`Recovery`], but for damage in older segments, which is not looked for: who reads there is told.
//! - [`Journal::retain`] removes nothing that a consumer has yet to read, but for the operator's hard limit; then it
//!   says what is lost to whom. It never removes the message of a dead letter; that holds nothing else back.
//!
//! # Files
//! See `docs/reference/journal-format.md`. In short: a state directory holds `lock`, the segments `messages/*.seg`,
//! `kept/*.seg` for the messages of old dead letters, and `outcomes/*.seg`, `cursors.log` and `dead-letters.log`. All but
//! the lock are frames behind a header, each with number, length and two checksums.

mod appender;
mod archive;
mod batch;
mod commit;
mod cursor;
mod cursors;
mod deadletters;
mod dedup;
mod disk;
mod error;
mod frame;
#[cfg(test)]
mod handover;
mod journal;
mod kept;
mod lock;
mod logfile;
mod offset;
mod options;
mod outcome;
mod outcomes;
mod reader;
mod record;
mod recovery;
mod retention;
mod ring;
mod scan;
mod segments;
mod shared;
mod statelog;
mod stats;
mod sync;
mod unsynced;
mod wire;

pub use appender::{Appended, Appender};
pub use archive::Archive;
pub use batch::{Batch, Entry};
pub use cursor::{ConsumerCursor, Cursor};
pub use deadletters::DeadLetter;
pub use dedup::{Id, Seen};
pub use error::JournalError;
pub use journal::{Journal, Opened};
pub use offset::Offset;
pub use options::{Mode, Options, Retention, Start, WhenFull};
pub use outcome::{Attempt, Ending, Outcome, OutcomeFilter, Refusal};
pub use reader::{Gap, GapCause, Next, Reader};
pub use record::Record;
pub use recovery::{Damage, Part, Recovery};
pub use retention::{Loss, Retired};
pub use stats::Stats;
