//! `fedmsg-trigger`: runs a command for messages of the bus.
//!
//! Python's puts the message into a line for bash, which runs whatever a sender likes. Here it is standard input only.

mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, Builder};
use std::time::Duration;

use bus::{Incoming, Subscribe, Subscriber};
use clap::{ArgGroup, Parser};
use crypto::Validator;
use exec::{Command, Message, Output, Stop};
use fancy_regex::Regex;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

use self::queue::Queue;
use crate::admit::admit;
use crate::filter::Filter;
use crate::listen::listen;
use crate::options::ConfigurationOptions;
use crate::process::{Failure, log, say};
use crate::relay::duration;

/// The command's name.
pub const NAME: &str = "fedmsg-trigger";

/// How many messages are taken from the bus at once.
const BATCH: usize = 256;

/// How long to wait for a message before waiting again.
const IDLE: Duration = Duration::from_secs(3600);

const HELP: &str = r#"Examples:
  fedmsg-trigger --topic org.fedoraproject.prod.git -- rebuild --from-message
  fedmsg-trigger --include 'compose.*complete' --wait-for 30s --timeout 2h --command push-mirror
  fedmsg-trigger --jobs 4 --shell 'jq -r .msg.commit.rev | xargs -r rebuild'

Environment:
  NOTIFY_SOCKET  where READY=1 is sent, as systemd asks for it, once every
                 endpoint is connected or known to be down; after 10 seconds at
                 the latest

Exit codes:
  0    ended by SIGTERM or Ctrl-C, or had as many messages as asked for; each command ended with 0
  1    failed; the error says why
  2    wrong command line, a bad regular expression too
  3    wrong configuration
  6    ended by SIGTERM or Ctrl-C while messages waited for a command
  11   a command failed
  130  ended by a second SIGTERM or Ctrl-C while commands ran"#;

/// Runs a command for messages of the bus.
///
/// The message is the command's standard input, one line of JSON as it was sent, and FEDMSG_TOPIC, FEDMSG_MSG_ID,
/// FEDMSG_TIMESTAMP, FEDMSG_ENDPOINT and FEDMSG_COUNT in its environment say a little of it, with `_` for whatever could
/// mean something to a shell. Nothing of a message is ever a part of a command line.
///
/// A command that fails is noted on standard error, and the next message has its turn: for retries, and messages that
/// come while this program does not run, see the hub's plugin `trigger`.
///
/// SIGTERM and Ctrl-C end it when the commands that run have ended; a second one ends these, too.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
#[command(group(ArgGroup::new("what").required(true).args(["words", "command", "shell"])))]
pub struct Cli {
    /// The command and its arguments, behind `--`. No shell sees them.
    #[arg(value_name = "COMMAND", last = true)]
    pub words: Vec<String>,
    /// A command without arguments. It is no line for a shell, as it is in Python's fedmsg-trigger.
    #[arg(long, value_name = "PROGRAM")]
    pub command: Option<String>,
    /// A line for `/bin/sh -c`.
    #[arg(long, value_name = "LINE")]
    pub shell: Option<String>,
    /// Only topics that begin with this; `*` has no special meaning.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub topic: String,
    /// Only topics in which this regular expression is found.
    #[arg(long, value_name = "REGEXP")]
    pub include: Option<Regex>,
    /// No topics in which this regular expression is found.
    #[arg(long, value_name = "REGEXP", default_value = "_heartbeat")]
    pub exclude: Regex,
    /// Only messages whose signatures verify. The default is `crypto.validate_signatures`.
    #[arg(long, overrides_with = "no_validate")]
    pub validate: bool,
    /// All messages, signed or not.
    #[arg(long)]
    pub no_validate: bool,
    /// Run once for all messages that came, when none has come for so long, such as 30s; a bare number is seconds.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time, help_heading = "Runs")]
    pub wait_for: Duration,
    /// When so many messages wait, run at once, and take in no more meanwhile.
    #[arg(
        long, value_name = "N", default_value = "1000", help_heading = "Runs",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_queue_size: u32,
    /// Run so many commands at once at most.
    #[arg(
        long, value_name = "N", default_value = "1", help_heading = "Runs",
        value_parser = clap::value_parser!(u32).range(1..=1024)
    )]
    pub jobs: u32,
    /// End a command that runs longer, such as 10m, with all that it has started.
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Runs")]
    pub timeout: Option<Duration>,
    /// Stop after so many messages.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Say when endpoints are connected, and of each run, too.
    #[arg(short, long)]
    pub verbose: bool,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

/// `30s`, or, as Python has it, `30`.
fn time(text: &str) -> Result<Duration, String> {
    text.parse().map_or_else(|_| duration(text), |seconds| Ok(Duration::from_secs(seconds)))
}

impl Cli {
    fn what(&self) -> Command {
        match (&self.command, &self.shell) {
            (Some(program), _) => Command::new(program, [""; 0]),
            (None, Some(line)) => Command::shell(line),
            (None, None) => {
                let (program, arguments) = self.words.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
                Command::new(program, arguments)
            }
        }
    }
}

/// What became of the runs.
#[derive(Debug, Default)]
struct Tally {
    runs: AtomicU64,
    failed: AtomicU64,
}

/// Runs the command until it is told to end, or has had as many messages as asked for.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &Cli) -> Result<(), Failure> {
    log(if options.verbose { LevelFilter::INFO } else { LevelFilter::WARN });
    let settings = options.configuration.load()?;
    let mut subscriber = listen(NAME, &settings, &options.topic)?;
    let validates = !options.no_validate && (options.validate || settings.crypto.validate_signatures);
    let validator = validates.then(|| settings.crypto.validator());

    let shared = Arc::new(Shared::new(options)?);
    listen_to_signals(Arc::clone(&shared), &subscriber)?;
    let tally = Tally::default();
    let command = options.what();
    thread::scope(|scope| {
        for number in 0..options.jobs {
            let job = || work(&shared, &command, options.timeout, &tally);
            if let Err(source) = Builder::new().name(format!("job {number}")).spawn_scoped(scope, job) {
                shared.queue.discard();
                return Err(Failure::stream("start a thread")(source));
            }
        }
        let taken = take_in(&mut subscriber, options, validator.as_ref(), &shared);
        if taken.is_err() {
            shared.queue.discard();
        }
        taken
    })?;
    let Tally { runs, failed } = tally;
    let (runs, failed, left) = (runs.into_inner(), failed.into_inner(), shared.queue.left());
    if shared.at_once.load(Relaxed) {
        Err(Failure::Interrupted { left })
    } else if failed > 0 {
        Err(Failure::Commands { failed, runs, left })
    } else if left > 0 {
        Err(Failure::NotRun(left))
    } else {
        Ok(())
    }
}

/// Puts messages into the queue until the end.
fn take_in(
    subscriber: &mut Subscriber,
    options: &Cli,
    validator: Option<&Validator>,
    shared: &Shared,
) -> Result<(), Failure> {
    let nobody = std::collections::BTreeSet::new();
    let (include, exclude) = (options.include.clone(), options.exclude.clone());
    let filter = Filter { include, exclude, users: nobody.clone(), packages: nobody };
    let mut batch = Vec::with_capacity(BATCH);
    let mut taken = 0;
    while !shared.asked.load(Relaxed) {
        subscriber.receive(&mut batch, BATCH, IDLE)?;
        for incoming in batch.drain(..) {
            let Some(message) = message(&incoming, &filter, validator) else { continue };
            tracing::info!(topic = ?message.topic, "taken in");
            taken += u64::from(shared.queue.push(message));
            if options.count == Some(taken) {
                shared.queue.finish();
                return Ok(());
            }
        }
    }
    Ok(())
}

fn message(incoming: &Incoming, filter: &Filter, validator: Option<&Validator>) -> Option<Message> {
    match admit(&incoming.frames, filter, validator) {
        Ok(admitted) => admitted.map(|(topic, envelope)| Message {
            topic: topic.to_string(),
            endpoint: incoming.endpoint.to_string(),
            msg_id: envelope.msg_id().map(Into::into),
            timestamp: envelope.timestamp(),
            body: envelope.body().to_owned(),
        }),
        Err(reason) => {
            tracing::warn!(endpoint = %incoming.endpoint, "nothing is run for it: {reason}");
            None
        }
    }
}

fn work(shared: &Shared, command: &Command, timeout: Option<Duration>, tally: &Tally) {
    while let Some(messages) = shared.queue.next() {
        let topic = messages.last().map_or("", |message| &message.topic);
        tracing::info!(?topic, messages = messages.len(), "running {command}");
        tally.runs.fetch_add(1, Relaxed);
        if let Err(error) = command.run(&messages, timeout, Some(&shared.stop), Output::Inherit) {
            tally.failed.fetch_add(1, Relaxed);
            let more = messages.len() - 1;
            let more = if more > 0 { format!(" and {more} before it") } else { String::new() };
            say(NAME, &format_args!("topic {topic:?}{more}: {command}: {error}"));
        }
    }
}

/// What taking in, commands and signals share.
struct Shared {
    queue: Queue,
    /// A signal has asked for the end.
    asked: AtomicBool,
    /// A second one wants the commands that run to end, too.
    at_once: AtomicBool,
    stop: Stop,
}

impl Shared {
    fn new(options: &Cli) -> Result<Self, Failure> {
        let stop = Stop::new().map_err(Failure::stream("make a descriptor"))?;
        let most = usize::try_from(options.max_queue_size).unwrap_or(usize::MAX);
        let (asked, at_once) = Default::default();
        Ok(Self { queue: Queue::new(options.wait_for, most), asked, at_once, stop })
    }

    fn signalled(&self) {
        if self.asked.swap(true, Relaxed) {
            self.at_once.store(true, Relaxed);
            self.stop.call();
        }
        self.queue.discard();
    }
}

/// The first signal ends the taking in, the second one the commands. Those are in groups of their own, which Ctrl-C does not
/// reach.
fn listen_to_signals(shared: Arc<Shared>, subscriber: &Subscriber) -> Result<(), Failure> {
    let waker = subscriber.waker();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(Failure::stream("listen to signals"))?;
    let signals = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)))
    };
    let (mut int, mut term) = signals.map_err(Failure::stream("listen to signals"))?;
    let listen = move || {
        runtime.block_on(async move {
            loop {
                tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
                shared.signalled();
                waker.wake_by_ref();
            }
        });
    };
    let thread = Builder::new().name("signals".to_owned()).spawn(listen);
    thread.map(drop).map_err(Failure::stream("start a thread"))
}
