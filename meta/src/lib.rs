#![forbid(unsafe_code)]
//! What messages say to people: title, subtitle, link, who and what they are about; or the whole message, printed.
//!
//! A [`Provider`] knows the messages of one service; a [`Registry`] picks the one for a message and asks it for a
//! [`Description`]. The names and rules are those of Python's `fedmsg.meta`. Pure data: no I/O, no settings, and none
//! of what a terminal or an IRC channel needs. The texts are as the sender wrote them; [`steers`] tells
//! what in them nobody should be shown.
//!
//! [`python`] is for where the message itself is shown, as the Python fedmsg's programs show it.
//!
//! ```
//! # use meta::{Message, Registry};
//! let body = br#"{"topic":"org.fedoraproject.dev.logger.log","msg":{"log":"Hai there."},"username":"ralph"}"#;
//! let envelope = message::Envelope::parse(body)?;
//! let message = Message::new("org.fedoraproject.dev.logger.log", &envelope);
//! let description = Registry::new("org.fedoraproject").describe(&message);
//! assert_eq!(description.to_string(), "logger.log -- Hai there. (ralph) ");
//! # Ok::<(), message::EnvelopeError>(())
//! ```

mod builtin;
mod description;
mod message;
mod provider;
pub mod python;
mod registry;

pub use self::message::Message;
pub use ::message::steers;
pub use description::Description;
pub use provider::Provider;
pub use registry::Registry;
