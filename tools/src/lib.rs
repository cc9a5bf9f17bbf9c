//! The bus' commands for people: one module each for `fedmsg-certs`, `fedmsg-logger` and `fedmsg-tail`, and what
//! they share.
//!
//! Each command is its clap options and a `run` that does what they say; a binary is only the process around
//! it. Signals keep their default effect: Ctrl-C ends a command as it ends any, which a shell reports as 130.
#![forbid(unsafe_code)]

pub mod certs;
mod colour;
mod filter;
mod json;
pub mod logger;
mod options;
mod process;
mod python;
mod query;
pub mod tail;
mod view;

pub use options::{ConfigurationOptions, RELAY_INBOUND};
pub use process::{Failure, conclude};
