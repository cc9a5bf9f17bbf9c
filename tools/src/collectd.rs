//! `fedmsg-collectd`: how many messages there are of each kind, in the words of collectd's exec plugin.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bus::{Frames, Incoming, Subscribe, Subscriber};
use clap::Parser;
use jiff::Timestamp;
use message::Topic;
use meta::Registry;
use tracing::level_filters::LevelFilter;

use crate::listen::{listen, watch_reader};
use crate::options::ConfigurationOptions;
use crate::process::{Failure, log};

/// The command's name.
pub const NAME: &str = "fedmsg-collectd";

/// How many messages are counted at once, when they come that fast.
const BATCH: usize = 256;

const HELP: &str = r#"Examples:
  fedmsg-collectd
  fedmsg-collectd --collectd-interval 10

Environment:
  NOTIFY_SOCKET  where READY=1 is sent, as systemd asks for it, once every
                 endpoint is connected or known to be down; after 10 seconds at
                 the latest

Exit codes:
  0    nobody reads the output any more
  1    failed; the error says why
  2    wrong command line
  3    wrong configuration
  130  ended by Ctrl-C"#;

/// Counts the messages of the bus for collectd.
///
/// Every few seconds it prints a line for each kind of message that it knows, with the number of messages since the last
/// time, as collectd's exec plugin reads it:
///
/// PUTVAL HOST/fedmsg/fedmsg_wallboard-KIND interval=SECONDS TIME:COUNT
///
/// In collectd.conf: LoadPlugin exec, <Plugin exec> Exec "nobody" "/usr/bin/fedmsg-collectd" </Plugin>, and a TypesDB
/// with the line: fedmsg_wallboard value:GAUGE:0:U
///
/// It listens to every endpoint but `relay_inbound` of the same configuration that fedmsg-hub reads.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// How many seconds lie between two reports.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub collectd_interval: u32,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

/// Counts until nobody reads the output any more.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &Cli) -> Result<(), Failure> {
    log(LevelFilter::WARN);
    let settings = options.configuration.load()?;
    let mut subscriber = listen(NAME, &settings, "")?;
    let registry = Registry::new(&settings.topic_prefix);
    match report(&mut subscriber, &registry, options.collectd_interval) {
        Err(Failure::Stream { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn report(subscriber: &mut Subscriber, registry: &Registry, interval: u32) -> Result<(), Failure> {
    let is_gone = watch_reader(subscriber)?;
    let host = crypto::hostname();
    let host = host.split('.').next().unwrap_or_default();
    let mut counts = Counts::new(registry);
    let mut batch = Vec::with_capacity(BATCH);
    let mut due = Instant::now();
    while !is_gone.load(Relaxed) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let lines = counts.take(host, interval, Timestamp::now().as_second());
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
            written.map_err(Failure::stream("write to standard output"))?;
            // After a sleep of the machine, what was missed is not made up for.
            due = Instant::now().max(due + Duration::from_secs(interval.into()));
            continue;
        }
        subscriber.receive(&mut batch, BATCH, left)?;
        batch.drain(..).for_each(|incoming| counts.count(registry, &incoming));
    }
    Ok(())
}

/// How many messages came of each kind since the last report; the kinds of Python's `fedmsg.meta.processors`.
struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn new(registry: &Registry) -> Self {
        Self(registry.services().map(|service| (service.to_owned(), 0)).collect())
    }

    fn count(&mut self, registry: &Registry, incoming: &Incoming) {
        if let Frames::Message { topic, .. } = &incoming.frames
            && let Ok(topic) = Topic::from_frame(topic)
            && let Some(count) = self.0.get_mut(registry.service_of(&topic))
        {
            *count += 1;
        }
    }

    /// The report; counting begins anew.
    fn take(&mut self, host: &str, interval: u32, time: i64) -> String {
        let mut lines = String::new();
        for (kind, count) in &mut self.0 {
            let count = std::mem::take(count);
            lines.push_str(&format!(
                "PUTVAL {host}/fedmsg/fedmsg_wallboard-{kind} interval={interval} {time}:{count}\n"
            ));
        }
        lines
    }
}
