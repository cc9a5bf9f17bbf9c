//! The border between the hub and its plugins: what an author writes against, and what the hub loads with.

mod abi;
mod bridge;
mod config;
mod consumer;
mod convert;
mod elf;
mod error;
mod export;
mod guard;
mod host;
mod hub;
mod instance;
pub mod loader;
mod message;
pub mod testing;
mod version;

pub use ::message::{Envelope, EnvelopeError, Pattern};
pub use serde_json;
pub use tracing;

pub use consumer::Consumer;
pub use error::{ConfigError, ConfigProblem, Failure, FailureKind, Panicked, PublishError, StartError};
pub use host::{Host, LogRecord, PublisherId};
pub use hub::{Hub, Publisher};
pub use instance::{Consumed, Delivery, Instance};
pub use message::Message;
pub use version::API_VERSION;

/// For the macro alone.
#[doc(hidden)]
pub mod __private {
    pub use crate::abi::DeclarationRef as Declaration;
    pub use crate::export::{Exports, declare, header};
    pub use abi_stable::library::LibHeader;
}
