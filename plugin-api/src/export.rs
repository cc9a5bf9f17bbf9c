//! What `export_plugin!` expands to, and the shim that it puts around each consumer: conversions, panics,
//! logs.

use abi_stable::library::{CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait as _;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RResult, RSlice, RStr, RVec};
use std::sync::Arc;

use crate::abi;
use crate::bridge::{self, Context};
use crate::config;
use crate::consumer::Consumer;
use crate::convert::milliseconds;
use crate::error::{BatchFailure, ConfigProblem, Failure, FailureKind, StartError};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::message::Message;

/// The static that `export_plugin!` writes.
pub(crate) const SYMBOL: &str = "fedmsg_plugin";

/// Makes the crate a plugin with these consumers, each a type that implements [`Consumer`]. Once per crate,
/// whose
/// `crate-type` must contain `"cdylib"`.
///
/// ```
/// # use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError};
/// # struct First;
/// # struct Second;
/// # macro_rules! consumer { ($type:ty, $name:literal) => { impl Consumer for $type {
/// #   const NAME: &'static str = $name; const CONFIG_KEY: &'static str = concat!($name, ".enabled"); type Config = ();
/// #   fn topics(_: &()) -> Vec<Pattern> { vec![] }
/// #   fn start(_: (), _: Hub) -> Result<Self, StartError> { Err(StartError::fatal("")) }
/// #   fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> { Ok(()) }
/// # } } }
/// # consumer!(First, "first"); consumer!(Second, "second");
/// plugin_api::export_plugin!(First, Second);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($consumer:ty),+ $(,)?) => {
        const _: () = {
            struct Exported;

            impl $crate::__private::Exports for Exported {
                const NAME: &'static str = env!("CARGO_PKG_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");

                fn consumers() -> Vec<$crate::__private::Declaration> {
                    vec![$($crate::__private::declare::<$consumer>()),+]
                }
            }

            #[unsafe(no_mangle)]
            static fedmsg_plugin: $crate::__private::LibHeader = $crate::__private::header::<Exported>();
        };
    };
}

/// What a crate exports.
pub trait Exports {
    /// The crate's name.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// Its consumers.
    fn consumers() -> Vec<abi::DeclarationRef>;
}

/// The value of the exported static.
pub const fn header<E: Exports>() -> LibHeader {
    // SAFETY: the constructor returns a `PluginRef`, by `__call_root_module_loader`.
    unsafe { LibHeader::from_constructor::<abi::PluginRef>(construct::<E>, CheckTypeLayout::Yes) }
}

extern "C" fn construct<E: Exports>() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(plugin::<E>)
}

/// Called once per library, which is never unloaded: what it leaks is needed to the end.
fn plugin<E: Exports>() -> abi::PluginRef {
    bridge::name_library(E::NAME);
    abi::Plugin {
        name: RStr::from_str(E::NAME),
        version: RStr::from_str(E::VERSION),
        unwinds: cfg!(panic = "unwind"),
        consumers: RSlice::from_slice(E::consumers().leak()),
    }
    .leak_into_prefix()
}

/// The declaration of a consumer.
pub fn declare<C: Consumer>() -> abi::DeclarationRef {
    bridge::install();
    abi::Declaration {
        name: RStr::from_str(C::NAME),
        config_key: RStr::from_str(C::CONFIG_KEY),
        describe: describe::<C>,
        start: start::<C>,
        outbound: outbound::<C>,
    }
    .leak_into_prefix()
}

extern "C" fn describe<C: Consumer>(config: RStr<'_>) -> RResult<abi::Wants, RVec<abi::Problem>> {
    described::<C, _>(config, |config| abi::Wants {
        topics: C::topics(config).iter().map(|topic| topic.as_str().into()).collect(),
        inbound: C::inbound(config).into_iter().map(Into::into).collect(),
        reserved: [C::patience(config).map_or(0, milliseconds), 0, 0, 0],
    })
}

extern "C" fn outbound<C: Consumer>(config: RStr<'_>) -> RResult<RVec<abi::Outbound>, RVec<abi::Problem>> {
    described::<C, _>(config, |config| C::outbound(config).into_iter().map(Into::into).collect())
}

fn described<C: Consumer, T>(
    config: RStr<'_>,
    say: impl FnOnce(&C::Config) -> T,
) -> RResult<T, RVec<abi::Problem>> {
    guarded(|| config::read::<C::Config>(config.as_str()).map(|config| say(&config)))
        .unwrap_or_else(|panicked| {
            Err(vec![ConfigProblem { key_path: String::new(), message: format!("the plugin {panicked}") }])
        })
        .map_err(|problems| problems.into_iter().map(Into::into).collect())
        .into()
}

extern "C" fn start<C: Consumer>(
    config: RStr<'_>,
    host: abi::HostBox,
) -> RResult<abi::InstanceBox, abi::StartError> {
    let context = Context::new(C::NAME, host);
    let result = context.enter(|| {
        guarded(|| {
            let config = config::read(config.as_str())
                .map_err(|problems| StartError::fatal(crate::ConfigError { problems }))?;
            C::start(config, Hub::new(Arc::clone(&context)))
        })
        .unwrap_or_else(|panicked| Err(StartError::fatal(panicked)))
    });
    result
        .map(|consumer| abi::InstanceBox::from_value(Shim { consumer: Some(consumer), context }, TD_Opaque))
        .map_err(Into::into)
        .into()
}

/// A started consumer on the plugin's side of the border.
struct Shim<C: Consumer> {
    /// `None` once it is stopped.
    consumer: Option<C>,
    context: Arc<Context>,
}

impl<C: Consumer> abi::Instance for Shim<C> {
    fn consume(&mut self, batch: RSlice<'_, abi::Msg<'_>>) -> abi::Consumed {
        let Self { consumer, context } = self;
        let Some(consumer) = consumer else {
            return abi::Consumed { done: 0, failure: Some(Failure::stop("it is stopped already")).into() };
        };
        let (done, failure) = context.enter(|| match batch.as_slice() {
            // The usual case without a heap allocation.
            [one] => hand_over(consumer, &[Message::new(one)]),
            many => hand_over(consumer, &many.iter().map(Message::new).collect::<Vec<_>>()),
        });
        abi::Consumed { done: done as u64, failure: failure.into() }
    }

    fn stop(&mut self) -> RResult<(), abi::Panicked> {
        let consumer = self.consumer.take();
        self.context.enter(|| guarded(|| consumer.map_or((), C::stop))).map_err(Into::into).into()
    }
}

/// Hands messages over until all are consumed or one has failed; how many are consumed. What failed as a whole comes
/// again in parts, of one message first and of twice as many each time, until a single one fails: so a message that
/// breaks a transaction is found in few calls, and a database that is away is asked twice.
fn hand_over<C: Consumer>(consumer: &mut C, batch: &[Message<'_>]) -> (usize, Option<Failure>) {
    let (mut done, mut size) = (0, batch.len());
    while done < batch.len() {
        let part = &batch[done..batch.len().min(done + size)];
        let result = guarded(|| consumer.consume_batch(part))
            .unwrap_or_else(|panicked| Err(Failure::new(FailureKind::Panic, panicked).into()));
        let Err(BatchFailure { at, failure }) = result else {
            (done, size) = (done + part.len(), size * 2);
            continue;
        };
        match at {
            Some(index) => return (done + index.min(part.len() - 1), Some(failure)),
            None if part.len() == 1 || failure.kind() == FailureKind::Stop => return (done, Some(failure)),
            None => size = 1,
        }
    }
    (done, None)
}

impl<C: Consumer> Drop for Shim<C> {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            self.context.enter(|| {
                if let Err(panicked) = guarded(|| drop(consumer)) {
                    tracing::error!("it was dropped, and {panicked}");
                }
            });
        }
    }
}
