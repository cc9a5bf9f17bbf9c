#![forbid(unsafe_code)]
//! The bus: endpoints by name, a subscriber over all of them, publishers. The only crate that knows ZeroMQ.
//!
//! It moves frames and knows nothing of what is in them. A [`Subscriber`] belongs to one thread and is blocked in
//! [`Subscribe::receive`] most of its life; its connections are looked after by another (see `supervisor`), and
//! [`StatusBoard`] shows them to any. [`memory`] is the same bus without sockets, for tests of what is built on it.

mod address;
mod bind;
mod context;
mod deadline;
mod endpoint;
mod error;
pub mod memory;
mod monitor;
mod name_server;
mod options;
mod publisher;
mod report;
mod socket;
mod status;
mod subscribe;
mod subscriber;

pub use address::{Address, AddressError, Host};
pub use context::Context;
pub use endpoint::{Addresses, Endpoint, EndpointName, Endpoints};
pub use error::{BusError, PublishError, Unsent};
pub use options::Options;
pub use publisher::{Publish, Publisher};
pub use report::{ReportPublisher, ReportSubscriber};
pub use status::{AddressStatus, DownReason, EndpointStatus, Moment, State, StatusBoard};
pub use subscribe::{BATCH_BYTES, Frames, Incoming, Prefixes, Subscribe};
pub use subscriber::{Subscriber, service_places};
