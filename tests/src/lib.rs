//! The harness of the end-to-end tests: starts the real programs on free addresses, waits for events with a
//! deadline and never sleeps, and keeps what they wrote when a test fails.
//!
//! It knows how to run things, not what is right: that stands in the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it is for tests"
)]

mod accepted;
mod build;
mod bus;
mod clock;
mod corpus;
mod disk;
mod dns;
mod http;
mod hub;
mod irc;
mod lines;
mod ports;
pub mod process;
mod publisher;
mod python;
mod recorder;
mod rounds;
mod scratch;
mod seed;
mod terminal;

pub use accepted::{Accepted, Message};
pub use build::{binary, library, workspace};
pub use bus::Bus;
pub use clock::WallClock;
pub use corpus::{Numbered, bus_shaped_messages};
pub use disk::Disk;
pub use dns::NameServer;
pub use http::{Answered, Http};
pub use hub::{Hub, HubBuilder};
pub use irc::{Cable, IrcServer, IrcUser};
pub use lines::Lines;
pub use ports::free_ports;
pub use process::Process;
pub use publisher::TestPublisher;
pub use python::{Frames, python, python_fedmsg};
pub use recorder::Recorder;
pub use rounds::rounds;
pub use scratch::Scratch;
pub use seed::seed;
pub use terminal::Terminal;

pub use rustix::process::Signal;

use std::time::Duration;

/// How long a test waits for an event before it counts as not happening. Long, because CI machines are slow and
/// shared, and because only a failing test ever waits for it.
pub const DEADLINE: Duration = Duration::from_secs(30);
