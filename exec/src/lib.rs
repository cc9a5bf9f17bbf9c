//! Runs a command for messages of the bus, which anybody may have sent.
//!
//! - The command is what the operator wrote, word for word. Nothing of a message becomes a part of it.
//! - Messages are its standard input, one a line. That is a file, so that a command need not read it.
//! - A little of the newest message is in its environment, without a character that means anything to a shell.
//! - It has a process group of its own, which is ended when its time is up, or when the process that started it is gone.
//!   What it leaves behind when it ends by itself is its own affair, and holds up nobody.
//!
//! When to run what is not known here.
#![forbid(unsafe_code)]

mod environment;
mod group;
mod input;
mod keeper;
mod lines;
mod run;
mod stop;

pub use environment::NAMES;
pub use run::{Command, GRACE, Output, RunError};
pub use stop::Stop;

/// A message that a command is run for.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The topic, from the first frame.
    pub topic: String,
    /// The name of the endpoint that it came by.
    pub endpoint: String,
    /// The sender's id of it.
    pub msg_id: Option<String>,
    /// When it was sent, by the sender's clock, in seconds since 1970.
    pub timestamp: Option<f64>,
    /// The second frame: a JSON object.
    pub body: Vec<u8>,
}
