//! What really crosses the border: frozen types, layout-checked by abi_stable when a plugin is loaded.
//!
//! Rules: structs of integers, `RStr`, `RSlice`, `RString`, `RVec`, `RResult` and boxed trait objects only;
//! our own enums cross as integers, so that a new variant is no new layout. A record ends in a reserved tail
//! that is zero until it gets a meaning. Modules and traits grow at their end only. Nothing here is seen by a
//! hub or an author.

#![allow(
    non_local_definitions,
    unreachable_pub,
    unused_qualifications,
    reason = "so the attribute macros of abi_stable write"
)]

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RSlice, RStr, RString, RVec};

/// What a library says of itself; the symbol that the loader looks for leads here.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginPrefix)))]
pub struct Plugin {
    /// Name and version of the plugin's crate.
    pub name: RStr<'static>,
    pub version: RStr<'static>,
    /// Whether panics can be caught in it.
    pub unwinds: bool,
    #[sabi(last_prefix_field)]
    pub consumers: RSlice<'static, DeclarationRef>,
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "fedmsg_plugin";
    const NAME: &'static str = "fedmsg_plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings { version: RStr::from_str(crate::version::MARK) };
}

/// One consumer of a library.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DeclarationRef, prefix_fields = DeclarationPrefix)))]
pub struct Declaration {
    pub name: RStr<'static>,
    pub config_key: RStr<'static>,
    /// Reads the consumer's configuration (JSON) and says what it asks for; starts nothing.
    pub describe: extern "C" fn(config: RStr<'_>) -> RResult<Wants, RVec<Problem>>,
    #[sabi(last_prefix_field)]
    pub start: extern "C" fn(config: RStr<'_>, host: HostBox) -> RResult<InstanceBox, StartError>,
    /// Since 1.2. As `describe`, what it publishes by.
    pub outbound: extern "C" fn(config: RStr<'_>) -> RResult<RVec<Outbound>, RVec<Problem>>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Wants {
    pub topics: RVec<RString>,
    pub inbound: RVec<RString>,
    /// The first is [`Consumer::patience`](crate::Consumer::patience) in milliseconds, since 1.2; 0 is none.
    pub reserved: [u64; 4],
}

/// `name` is that of an endpoint, or an address if `kind` is [`ADDRESS`].
#[repr(C)]
#[derive(StableAbi)]
pub struct Outbound {
    pub kind: u32,
    pub reserved_word: u32,
    pub name: RString,
    pub reserved: [u64; 2],
}

pub const ENDPOINT: u32 = 0;
pub const SIGNED: u32 = 1;
pub const ADDRESS: u32 = 2;

/// Something wrong with the configuration at `key_path`.
#[repr(C)]
#[derive(StableAbi)]
pub struct Problem {
    pub key_path: RString,
    pub message: RString,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct StartError {
    pub retryable: bool,
    pub reason: RString,
}

/// A message on its way to a consumer. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Msg<'a> {
    pub topic: RStr<'a>,
    pub body: RSlice<'a, u8>,
    pub endpoint: RStr<'a>,
    pub offset: u64,
    /// Microseconds since 1970.
    pub received: u64,
    pub attempt: u32,
    pub flags: u32,
    pub verdict: u32,
    pub reserved_word: u32,
    /// Means something if the verdict is [`VALID`].
    pub signer: RStr<'a>,
    pub reserved: [u64; 4],
}

/// [`Msg::flags`]: delivered before, and asked for again by the operator.
pub const REPLAYED: u32 = 1;

pub const NOT_CHECKED: u32 = 0;
pub const UNSIGNED: u32 = 1;
pub const INVALID: u32 = 2;
pub const VALID: u32 = 3;

/// The answer to a batch: the first `done` messages are consumed; `failure` is about the one after them.
#[repr(C)]
#[derive(StableAbi)]
pub struct Consumed {
    pub done: u64,
    pub failure: Failure,
}

/// `kind` 0 is none.
#[repr(C)]
#[derive(StableAbi)]
pub struct Failure {
    pub kind: u32,
    pub reserved: u32,
    /// Milliseconds; [`NO_DELAY`] leaves it to the hub.
    pub retry_after: u64,
    pub reason: RString,
}

pub const NO_FAILURE: u32 = 0;
pub const RETRY: u32 = 1;
pub const DROP: u32 = 2;
pub const STOP: u32 = 3;
pub const PANIC: u32 = 4;
/// Since 1.2; an older hub takes it for a retry.
pub const LATER: u32 = 5;
pub const NO_DELAY: u64 = u64::MAX;

#[repr(C)]
#[derive(StableAbi)]
pub struct Panicked {
    pub message: RString,
    pub location: RString,
}

/// A record of `log` or `tracing`. Frozen.
#[repr(C)]
#[derive(StableAbi)]
pub struct Record<'a> {
    pub consumer: RStr<'a>,
    /// 1 error … 5 trace.
    pub level: u32,
    /// 0 if not known.
    pub line: u32,
    pub target: RStr<'a>,
    pub message: RStr<'a>,
    pub file: RStr<'a>,
    pub fields: RSlice<'a, Field<'a>>,
    pub reserved: [u64; 4],
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Field<'a> {
    pub name: RStr<'a>,
    pub value: RStr<'a>,
}

pub type InstanceBox = Instance_TO<'static, RBox<()>>;
pub type HostBox = Host_TO<'static, RBox<()>>;

/// A started consumer.
#[sabi_trait]
pub trait Instance: Send {
    fn consume(&mut self, batch: RSlice<'_, Msg<'_>>) -> Consumed;
    /// Nothing is called after it.
    #[sabi(last_prefix_field)]
    fn stop(&mut self) -> RResult<(), Panicked>;
}

/// The hub as a plugin sees it.
#[sabi_trait]
pub trait Host: Send + Sync {
    /// 0 off … 5 trace.
    fn max_level(&self) -> u32;
    fn enabled(&self, level: u32, target: RStr<'_>) -> bool;
    fn log(&self, record: &Record<'_>);
    fn publish(&self, topic: RStr<'_>, msg: RStr<'_>) -> RResult<(), RString>;
    fn open_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, StartError>;
    #[sabi(last_prefix_field)]
    fn forward(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> RResult<(), RString>;
    /// Since 1.1, as is the next one; a hub of 1.0 answers as it stands here.
    fn open_signing_publisher(&self, _endpoint: RStr<'_>) -> RResult<u64, StartError> {
        RResult::RErr(StartError { retryable: false, reason: CANNOT_SIGN.into() })
    }
    fn forward_signed(&self, _publisher: u64, _topic: RStr<'_>, _body: RSlice<'_, u8>) -> Failure {
        Failure { kind: STOP, reserved: 0, retry_after: NO_DELAY, reason: CANNOT_SIGN.into() }
    }
    /// Since 1.2; an older hub counts nothing.
    fn count(&self, _name: RStr<'_>, _n: u64) {}
}

const CANNOT_SIGN: &str =
    "this hub has plugin API 1.0, which cannot sign what is forwarded: install a newer hub";
