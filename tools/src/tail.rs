//! `fedmsg-tail`: prints the messages of the bus.
//!
//! Unlike Python's, which logs each message's `repr`, it prints the JSON as it came, for other programs to read.

mod printer;

use std::collections::BTreeSet;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use bus::{Subscribe, Subscriber};
use clap::{Parser, ValueEnum};
use fancy_regex::Regex;
use jiff::tz::TimeZone;
use meta::Registry;
use tracing::level_filters::LevelFilter;

use self::printer::Printer;
use crate::filter::Filter;
use crate::listen::{listen, watch_reader};
use crate::options::ConfigurationOptions;
use crate::process::{Failure, log};
use crate::query::Query;
use crate::view::{Form, View};

/// The command's name.
pub const NAME: &str = "fedmsg-tail";

/// How many messages are printed before the output is flushed, when they come that fast.
const BATCH: usize = 256;

/// How long to wait for a message before waiting again.
const IDLE: Duration = Duration::from_secs(3600);

const HELP: &str = "\
Examples:
  fedmsg-tail --really-pretty
  fedmsg-tail --topic org.fedoraproject.prod.git
  fedmsg-tail --include '(bodhi|koji)' --query topic,msg.user
  fedmsg-tail --terse --users ralph,toshio
  fedmsg-tail --json | jq -c '[.endpoint, .topic]'
  fedmsg-tail --gource | gource --log-format custom --realtime -
  fedmsg-tail | jq .msg
  fedmsg-tail -n 1 > one-message.json

Environment:
  NOTIFY_SOCKET  where READY=1 is sent, as systemd asks for it, once every
                 endpoint is connected or known to be down; after 10 seconds at
                 the latest

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
    /// Only messages that concern one of these people; comma-separated. So far that is known of what fedmsg-logger and
    /// fedmsg-announce send: it concerns its sender.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub users: Vec<String>,
    /// Only messages that concern one of these packages; comma-separated. So far that is known of no message: none is
    /// printed.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub packages: Vec<String>,
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
    /// Print indented JSON without credentials, coloured as --color says.
    #[arg(long, group = "form", help_heading = "Form")]
    pub really_pretty: bool,
    /// Print what each message says to people, such as `logger.log -- Hai there. (ralph)`.
    #[arg(long, group = "form", help_heading = "Form")]
    pub terse: bool,
    /// Print a line of JSON with `received`, `endpoint`, `topic`, and the message as it came: as `body`, or as the string
    /// `body_text` where it is no JSON for others than Python or has more than one line.
    #[arg(long, group = "form", help_heading = "Form")]
    pub json: bool,
    /// Print lines of Gource's custom log: for each user and each object of a message TIME|USER|A|CATEGORY/OBJECT. Who
    /// has no user is called by his category; what has no object by its topic.
    #[arg(long, group = "form", help_heading = "Form")]
    pub gource: bool,
    /// Have a cow say it, by the program cowsay.
    #[arg(long, group = "form", help_heading = "Form")]
    pub cowsay: bool,
    /// Whether --really-pretty has colours. `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Form")]
    pub color: Colour,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Whatever the output goes to.
    Always,
    /// Never.
    Never,
}

impl Colour {
    fn is_wanted(self) -> bool {
        match self {
            Self::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl Cli {
    fn form(&self) -> Form {
        match &self.query {
            Some(query) => Form::Query(Query::parse(query)),
            None if self.really_pretty => Form::ReallyPretty,
            None if self.pretty => Form::Pretty,
            None if self.terse => Form::Terse,
            None if self.json => Form::Record,
            None if self.gource => Form::Gource,
            None if self.cowsay => Form::Cowsay,
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
    let mut subscriber = listen(NAME, &settings, &options.topic)?;

    let stdout = io::stdout();
    let view = View {
        form: options.form(),
        registry: Registry::new(&settings.topic_prefix),
        colours: options.color.is_wanted(),
        is_terminal: stdout.is_terminal(),
        zone: TimeZone::system(),
    };
    let filter = Filter {
        include: options.include,
        exclude: options.exclude,
        users: names(&options.users),
        packages: names(&options.packages),
    };
    let validates = !options.no_validate && (options.validate || settings.crypto.validate_signatures);
    let validator = validates.then(|| settings.crypto.validator());
    let printer =
        Printer { out: BufWriter::new(stdout.lock()), filter, validator, view, left: options.count };
    match print(&mut subscriber, printer) {
        Err(Failure::Stream { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn names(given: &[String]) -> BTreeSet<String> {
    given.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
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
