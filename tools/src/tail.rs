//! `fedmsg-tail`: prints the messages of the bus.
//!
//! Unlike Python's, which logs each message's `repr`, it prints the JSON as it came, for other programs to read.

mod printer;

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use bus::{Context, Endpoint, Prefixes, State, StatusBoard, Subscribe, Subscriber};
use clap::Parser;
use fancy_regex::Regex;
use jiff::tz::TimeZone;
use rustix::event::{PollFd, PollFlags, poll};
use sd_notify::NotifyState;
use settings::Settings;
use tracing::level_filters::LevelFilter;

use self::printer::Printer;
use crate::filter::Filter;
use crate::options::{ConfigurationOptions, RELAY_INBOUND};
use crate::process::{Failure, log, say};
use crate::query::Query;
use crate::view::{Form, View};

/// The command's name.
pub const NAME: &str = "fedmsg-tail";

/// How many messages are printed before the output is flushed, when they come that fast.
const BATCH: usize = 256;

/// How long to wait for a message before waiting again.
const IDLE: Duration = Duration::from_secs(3600);

/// An endpoint that neither answers nor refuses does not hold up readiness for longer.
const READY_DEADLINE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples:
  fedmsg-tail --really-pretty
  fedmsg-tail --topic org.fedoraproject.prod.git
  fedmsg-tail --include '(bodhi|koji)' --query topic,msg.user
  fedmsg-tail | jq .msg
  fedmsg-tail -n 1 > one-message.json

Environment:
  NOTIFY_SOCKET  where READY=1 is sent, as systemd asks for it, once every endpoint is connected or known
                 to be down; after 10 seconds at the latest

Exit codes:
  0    printed as many messages as asked for, or the reader went away
  1    failed; the error says why
  2    wrong command line, a bad regular expression too
  3    wrong configuration
  130  ended by Ctrl-C";

/// Prints the messages of the bus.
///
/// Each message is a line of JSON, exactly as it was sent, unless a form is chosen. What is no message is noted on
/// standard error, as are endpoints that cannot be reached; they are tried for ever.
///
/// It listens to every endpoint but `relay_inbound` of the same configuration that fedmsg-hub reads:
/// /etc/fedmsg/hub.toml, /etc/fedmsg/hub.d/*.toml, ./hub.toml, ./hub.d/*.toml (or the one that FEDMSG_CONFIG names
/// instead of these), --config, environment variables such as FEDMSG_HUB__ENVIRONMENT=stg, and --set; later ones win.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// Only topics that begin with this; `*` has no special meaning.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub topic: String,
    /// Only topics in which this regular expression is found.
    #[arg(long, value_name = "REGEXP")]
    pub include: Option<Regex>,
    /// No topics in which this regular expression is found.
    #[arg(long, value_name = "REGEXP", default_value = "_heartbeat")]
    pub exclude: Regex,
    /// Print only messages whose signatures verify, and note the others on standard error; what the configuration
    /// says of authority and policy counts. The default is `crypto.validate_signatures`.
    #[arg(long, overrides_with = "no_validate")]
    pub validate: bool,
    /// Print all messages, signed or not.
    #[arg(long)]
    pub no_validate: bool,
    /// Stop after so many printed messages.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Say when endpoints are connected, too.
    #[arg(short, long)]
    pub verbose: bool,
    /// Print only these parts of each message, dotted and comma-separated, such as topic,msg.commit.author.
    #[arg(long, value_name = "PATHS", group = "form", help_heading = "Form")]
    pub query: Option<String>,
    /// Print as Python's pprint does, without credentials and with the time in words.
    #[arg(long, group = "form", help_heading = "Form")]
    pub pretty: bool,
    /// Print indented JSON without credentials, coloured on a terminal (see NO_COLOR).
    #[arg(long, group = "form", help_heading = "Form")]
    pub really_pretty: bool,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

impl Cli {
    fn form(&self) -> Form {
        match &self.query {
            Some(query) => Form::Query(Query::parse(query)),
            None if self.really_pretty => Form::ReallyPretty,
            None if self.pretty => Form::Pretty,
            None => Form::Wire,
        }
    }
}

/// Prints messages until there are as many as asked for, or nobody reads them any more.
///
/// # Errors
/// [`Failure`].
pub fn run(options: Cli) -> Result<(), Failure> {
    log(if options.verbose { LevelFilter::INFO } else { LevelFilter::WARN });
    let settings = options.configuration.load()?;
    let endpoints = endpoints(&settings)?;
    let mut subscriber = Context::new(&settings.zmq)?.subscriber()?;
    for endpoint in &endpoints {
        subscriber.connect(endpoint, &Prefixes::from_iter([options.topic.as_str()]))?;
    }
    if io::stderr().is_terminal() {
        say(NAME, &format_args!("listening to {}", list(&endpoints)));
    }
    tell_when_ready(subscriber.status())?;

    let stdout = io::stdout();
    let view = View {
        form: options.form(),
        colours: AutoStream::choice(&stdout) != ColorChoice::Never,
        is_terminal: stdout.is_terminal(),
        zone: TimeZone::system(),
    };
    let filter = Filter { include: options.include, exclude: options.exclude };
    let validates = !options.no_validate && (options.validate || settings.crypto.validate_signatures);
    let validator = validates.then(|| settings.crypto.validator());
    let printer = Printer::new(BufWriter::new(stdout.lock()), filter, validator, view, options.count);
    match print(&mut subscriber, printer) {
        Err(Failure::Stream { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// What is listened to: every endpoint but the one where messages have yet to be published.
fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, Failure> {
    let listened: Vec<_> =
        settings.endpoints.enabled().filter(|endpoint| endpoint.name.as_str() != RELAY_INBOUND).collect();
    match listened.is_empty() {
        true => Err(Failure::NoEndpoint {
            missing: "nothing to listen to",
            example: "relay_outbound = \"tcp://127.0.0.1:4001\"",
        }),
        false => Ok(listened),
    }
}

fn list(endpoints: &[Endpoint]) -> String {
    let named = endpoints.iter().map(|endpoint| {
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        format!("{} ({})", endpoint.name, addresses.join(", "))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Speaks to whoever started the process, if it listens.
fn tell_when_ready(status: StatusBoard) -> Result<(), Failure> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let ready = move || {
        status.wait(READY_DEADLINE, |endpoints| {
            let mut addresses = endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
            addresses.all(|address| !matches!(address.state, State::Resolving | State::Connecting))
        });
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    };
    let thread = std::thread::Builder::new().name("ready".to_owned()).spawn(ready);
    thread.map(drop).map_err(Failure::stream("start a thread"))
}

fn print(subscriber: &mut Subscriber, mut printer: Printer<impl Write>) -> Result<(), Failure> {
    let is_gone = watch_reader(subscriber)?;
    let mut batch = Vec::with_capacity(BATCH);
    while !printer.is_done() && !is_gone.load(Relaxed) {
        subscriber.receive(&mut batch, BATCH, IDLE)?;
        for incoming in batch.drain(..) {
            printer.print(&incoming).map_err(Failure::stream("write to standard output"))?;
        }
        printer.flush().map_err(Failure::stream("write to standard output"))?;
    }
    Ok(())
}

/// Notices that nobody reads the output any more, even when there is nothing to print: `fedmsg-tail | head -1` ends.
fn watch_reader(subscriber: &Subscriber) -> Result<Arc<AtomicBool>, Failure> {
    let is_gone = Arc::new(AtomicBool::new(false));
    let (gone, waker) = (Arc::clone(&is_gone), subscriber.waker());
    let watch = move || {
        // Errors and the other side's end are reported without being asked for.
        while let Err(rustix::io::Errno::INTR) =
            poll(&mut [PollFd::new(&io::stdout(), PollFlags::empty())], None)
        {}
        gone.store(true, Relaxed);
        waker.wake();
    };
    let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(watch);
    thread.map_err(Failure::stream("start a thread"))?;
    Ok(is_gone)
}
