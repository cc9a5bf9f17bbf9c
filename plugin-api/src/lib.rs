//! The border between the hub and its plugins.
//!
//! # A plugin
//!
//! A plugin is a crate with `crate-type = ["cdylib", "rlib"]` that depends on this one (and on `serde` for
//! its configuration). All of it:
//!
//! ```
//! #![forbid(unsafe_code)]
//! use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError, export_plugin, tracing};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     greeting: String,
//! }
//!
//! struct Greeter {
//!     config: Config,
//!     hub: Hub,
//! }
//!
//! impl Consumer for Greeter {
//!     const NAME: &'static str = "greeter";
//!     const CONFIG_KEY: &'static str = "greeter.enabled"; // [greeter] enabled = true, greeting = "Hello"
//!     type Config = Config;
//!
//!     fn topics(_: &Config) -> Vec<Pattern> {
//!         vec!["org.fedoraproject.*.fas.user.create".into()]
//!     }
//!
//!     fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
//!         Ok(Self { config, hub })
//!     }
//!
//!     fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
//!         #[derive(serde::Deserialize)]
//!         struct Created {
//!             user: String,
//!         }
//!         let Created { user } = message.msg()?; // another shape: the message is dropped, with the reason
//!         tracing::info!(user, "greeting");
//!         self.hub.publish("greeter.greet", &format!("{}, {user}!", self.config.greeting))?; // or retried
//!         Ok(())
//!     }
//! }
//!
//! export_plugin!(Greeter);
//! # use plugin_api::{serde_json::json, testing::Harness};
//! # fn main() {
//! # let mut greeter = Harness::<Greeter>::start(json!({"greeting": "Hello"})).unwrap();
//! # greeter.deliver("org.fedoraproject.dev.fas.user.create", json!({"user": "lmacken"})).unwrap();
//! # assert_eq!(greeter.published(), [("greeter.greet".to_owned(), json!("Hello, lmacken!"))]);
//! # assert_eq!(greeter.logs()[0].message, "greeting");
//! # }
//! ```
//!
//! - [`Consumer`] says what each part means. [`testing`] runs one without a hub.
//! - What it or a library of its logs with [`tracing`] or `log` appears in the hub's log under its name.
//! - Other globals of the hub's process (a tokio runtime, `log`'s logger) are not there in a plugin: a `.so` has
//!   its own copies. Bring your own runtime if you need one, and start it in `start`.
//! - Panics are caught; build with `panic = "unwind"`, which is the default.
//!
//! # The hub's side
//!
//! [`loader::Library`] opens a `.so`, [`loader::Declared`] is a consumer in it, [`Instance`] a started one,
//! and [`Host`] is what the hub implements for them. No type of the ABI shows on either side.

mod abi;
mod bridge;
mod config;
mod consumer;
mod convert;
mod counts;
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

// What a plugin needs of other crates. Their major versions are part of this crate's interface.
pub use ::message::{Envelope, EnvelopeError, Pattern};
pub use serde_json;
pub use tracing;

pub use consumer::{Consumer, Outbound};
pub use counts::Counts;
pub use error::{
    BatchFailure, ConfigError, ConfigProblem, Failure, FailureKind, Panicked, PublishError, StartError,
};
pub use host::{Host, LogRecord, PublisherId};
pub use hub::{Hub, Publisher};
pub use instance::{Consumed, Delivery, Instance};
pub use message::{Message, Verdict};
pub use version::API_VERSION;

/// For `export_plugin!` alone.
#[doc(hidden)]
pub mod __private {
    pub use crate::abi::DeclarationRef as Declaration;
    pub use crate::export::{Exports, declare, header};
    pub use abi_stable::library::LibHeader;
}
