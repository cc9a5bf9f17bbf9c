#![forbid(unsafe_code)]
//! The data of the bus: topics, the patterns that select them, message bodies and their JSON.
//!
//! Pure functions over bytes and text. No I/O, no clock, no random numbers: whoever composes a message
//! brings its time, its id and its user along.
//!
//! - [`Topic`] and [`Naming`]: what a message is about, and how a publisher spells it.
//! - [`Pattern`], [`TopicMatching`], [`PatternSet`], [`Router`]: which consumers want a topic.
//! - [`Envelope`]: a received body, read without being taken apart.
//! - [`Draft`]: a new body, byte for byte as Python's fedmsg writes it.
//! - [`json`]: JSON exactly as Python reads and writes it.
//! - [`printable`]: text from the bus, as it may be shown to people.

mod draft;
mod envelope;
pub mod json;
mod naming;
mod pattern;
mod pattern_set;
mod router;
mod shown;
mod topic;

pub use draft::{Draft, msg_id};
pub use envelope::{Envelope, EnvelopeError};
pub use naming::Naming;
pub use pattern::{Pattern, TopicMatching};
pub use pattern_set::PatternSet;
pub use router::{Route, Router};
pub use shown::{printable, printable_lines, steers};
pub use topic::{Topic, TopicError};
