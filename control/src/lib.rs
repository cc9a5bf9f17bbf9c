#![forbid(unsafe_code)]
//! The operator's way to a hub: its control socket, and the same answers where the hub is stopped.
//!
//! - [`Access`] is what commands use: it finds out whether a hub runs on a state directory, and asks it, or the files.
//! - [`Server`] is what a hub runs; [`Hub`] is what it needs of it.
//! - [`Command`] and [`Reply`] are what goes over the socket, and what `--json` shows.
//!
//! It decides who may do what, and nothing of how that looks: tables and words are the commands' own.
//!
//! # The socket
//! `control.sock` in the state directory, a Unix stream socket for its owner alone (mode 0600): who may open it may do
//! everything. A client writes one line of JSON and reads lines of JSON, the last of which is `done` or `error`:
//!
//! ```text
//! → {"version":1,"command":{"dead_letters":{"selection":{"consumer":"irc","offsets":[]},"messages":false}}}
//! ← {"dead_letter":{"offset":17,"consumer":"irc","attempts":5, …}}
//! ← {"done":{}}
//! ```
//!
//! A line comes every two seconds at least: `alive` where there is nothing else to say. An `error` has a `code` that names a [`Refusal`]. What has an unknown field is refused. A client that closes its
//! side is gone, and what went on for it ends.
//!
//! [`Status`] is how a hub is doing, whoever asks: this socket, HTTP, or the service manager.

mod access;
mod answer;
mod client;
mod command;
mod error;
mod hub;
mod reply;
mod server;
mod status;
mod view;

pub use access::{Access, Stopped};
pub use client::{Answer, Client, HangUp};
pub use command::{Bound, Command, Selection, Span, VERSION};
pub use error::{ControlError, Fault, Refusal};
pub use hub::{Hub, ReplayProgress};
pub use reply::{
    Cause, Change, Changed, Consumer, Damage, DeadLetter, Gap, JournalStats, LogLevel, Message, Mode,
    Outcome, Progress, Reloaded, Replay, Reply, Requeued, Stats, Thing, Verified,
};
pub use server::Server;
pub use status::{
    AddressState, AddressStatus, ConsumerState, ConsumerStatus, EndpointStatus, Histogram, HubState,
    HubStatus, IntakeStatus, Problem, ProblemKind, ProcessStatus, Reloads, Severity, Status,
};
