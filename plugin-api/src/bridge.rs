//! Carries what a library logs with `tracing` or `log` to the hub. A library has its own copies of both,
//! which nobody would read.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};

use abi_stable::std_types::RSlice;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context as Spans, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::abi;
use crate::error::Panicked;
use crate::guard;
use crate::host::level_number;

/// Which consumer runs, and its hub.
pub(crate) struct Context {
    pub(crate) consumer: &'static str,
    pub(crate) host: abi::HostBox,
}

thread_local! {
    /// The consumer whose function runs on this thread.
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

/// The consumers of this library that run: any of their hubs takes what threads of the library's own log.
static RUNNING: Mutex<Vec<Weak<Context>>> = Mutex::new(Vec::new());

/// Whom such threads belong to.
static LIBRARY: OnceLock<&'static str> = OnceLock::new();

/// The hub's [`max_level`](crate::host::Host::max_level) as last seen.
static MAX_LEVEL: AtomicU32 = AtomicU32::new(0);

/// Names the library for what its own threads log.
pub(crate) fn name_library(name: &'static str) {
    LIBRARY.get_or_init(|| name);
}

impl Context {
    /// The context of a consumer that is about to start.
    pub(crate) fn new(consumer: &'static str, host: abi::HostBox) -> Arc<Self> {
        let context = Arc::new(Self { consumer, host });
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|context| context.strong_count() > 0);
        running.push(Arc::downgrade(&context));
        context
    }

    /// Runs `call`, which must not panic, as this consumer.
    pub(crate) fn enter<R>(self: &Arc<Self>, call: impl FnOnce() -> R) -> R {
        adopt_max_level(self.host.max_level());
        let outer = CURRENT.replace(Some(Arc::clone(self)));
        let result = call();
        CURRENT.set(outer);
        result
    }
}

/// Sets up panic hook and logging of this library, or of this process where a consumer is linked into a test.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        guard::install_hook(report_panic);
        // An error means that the program has its own already, which in a plugin's unit tests is its right.
        tracing::subscriber::set_global_default(Registry::default().with(Bridge)).ok();
        log::set_logger(&Bridge).ok();
    });
}

/// A panic on a thread of the library's own ends that thread alone, which the operator should know.
fn report_panic(panicked: &Panicked) {
    let thread = std::thread::current();
    tracing::error!(thread = thread.name(), "a thread of the plugin {panicked}");
}

/// Both facades compare with a number of their own before they call anybody, so that a record that nobody
/// wants costs next to nothing.
fn adopt_max_level(level: u32) {
    if MAX_LEVEL.swap(level, Ordering::Relaxed) != level {
        log::set_max_level(match level {
            0 => log::LevelFilter::Off,
            1 => log::LevelFilter::Error,
            2 => log::LevelFilter::Warn,
            3 => log::LevelFilter::Info,
            4 => log::LevelFilter::Debug,
            _ => log::LevelFilter::Trace,
        });
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Calls `log` with the consumer's name and its hub, if there is one to hear.
fn with_hub(log: impl FnOnce(&str, &abi::HostBox)) {
    let current = CURRENT.try_with(|current| current.try_borrow().ok().and_then(|current| current.clone()));
    if let Ok(Some(context)) = current {
        log(context.consumer, &context.host);
    } else if let Some(context) = any_running() {
        log(LIBRARY.get().unwrap_or(&context.consumer), &context.host);
    }
}

fn any_running() -> Option<Arc<Context>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().find_map(Weak::upgrade)
}

/// The `tracing` layer and the `log` logger.
struct Bridge;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Bridge {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The hub's filter may change, and is asked each time for what passes the level.
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match MAX_LEVEL.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Spans<'_, S>) -> bool {
        let mut enabled = false;
        with_hub(|_, hub| enabled = hub.enabled(level_number(*metadata.level()), metadata.target().into()));
        enabled
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, spans: Spans<'_, S>) {
        if let Some(span) = spans.span(id) {
            let mut fields = SpanFields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, spans: Spans<'_, S>) {
        if let Some(span) = spans.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, spans: Spans<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(scope) = spans.event_scope(event) {
            let names: Vec<_> = scope
                .from_root()
                .map(|span| match span.extensions().get::<SpanFields>() {
                    Some(SpanFields(fields)) if !fields.is_empty() => format!("{}{{{fields}}}", span.name()),
                    _ => span.name().to_owned(),
                })
                .collect();
            fields.others.push(("span", names.join(":")));
        }
        let others: Vec<_> = fields.others.iter().map(|(name, value)| field(name, value)).collect();
        emit(&Line {
            level: level_number(*metadata.level()),
            target: metadata.target(),
            message: &fields.message,
            file: metadata.file(),
            line: metadata.line(),
            fields: &others,
        });
    }
}

impl log::Log for Bridge {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let mut enabled = false;
        with_hub(|_, hub| enabled = hub.enabled(metadata.level() as u32, metadata.target().into()));
        enabled
    }

    fn log(&self, record: &log::Record<'_>) {
        if log::Log::enabled(self, record.metadata()) {
            emit(&Line {
                level: record.level() as u32,
                target: record.target(),
                message: &record.args().to_string(),
                file: record.file(),
                line: record.line(),
                fields: &[],
            });
        }
    }

    fn flush(&self) {}
}

/// A record without its consumer.
struct Line<'a> {
    level: u32,
    target: &'a str,
    message: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    fields: &'a [abi::Field<'a>],
}

fn emit(line: &Line<'_>) {
    with_hub(|consumer, hub| {
        hub.log(&abi::Record {
            consumer: consumer.into(),
            level: line.level,
            line: line.line.unwrap_or(0),
            target: line.target.into(),
            message: line.message.into(),
            file: line.file.unwrap_or_default().into(),
            fields: RSlice::from_slice(line.fields),
            reserved: [0; 4],
        });
    });
}

fn field<'a>(name: &'a str, value: &'a str) -> abi::Field<'a> {
    abi::Field { name: name.into(), value: value.into() }
}

/// The fields of an event; `message` is the text.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.others.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// The fields of a span as text, `a=1 b=2`.
#[derive(Default)]
struct SpanFields(String);

impl Visit for SpanFields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let gap = if self.0.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        write!(self.0, "{gap}{}={value:?}", field.name()).ok();
    }
}
