//! The bus' commands for people: a public module for each, and what they share.
//!
//! Each command is its clap options and a `run` that does what they say; a binary is only the process around
//! it. Signals keep their default effect: Ctrl-C ends a command as it ends any, which a shell reports as 130.
#![forbid(unsafe_code)]

mod admit;
pub mod announce;
pub mod certs;
pub mod check;
pub mod collectd;
mod colour;
pub mod config;
mod filter;
mod import;
mod input;
mod listen;
pub mod logger;
mod options;
mod process;
mod query;
mod relay;
pub mod replay;
pub mod tail;
pub mod trigger;
mod view;

pub use import::{ImportError, SyntaxError};
pub use input::InputError;
pub use options::{ConfigurationOptions, RELAY_INBOUND};
pub use process::{Failure, conclude};
pub use relay::RelayOptions;
