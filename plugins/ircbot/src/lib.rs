#![forbid(unsafe_code)]
//! Says on IRC channels what happens on the bus.
//!
//! Each entry of `irc` is a bot of its own: a connection, a channel, a queue. All of them live on one thread of the
//! plugin's; the hub's thread only fills their queues, and never waits for IRC.

mod backoff;
mod bot;
mod colour;
mod config;
mod connection;
mod file;
mod line;
mod queue;
mod raw;
mod session;
mod shorten;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use meta::Registry;
use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError, export_plugin};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_native_tls::{TlsConnector, native_tls};

use bot::Bot;
use colour::Palette;
use config::{Config, Entry, Table};
use connection::Settings;
use file::Authority;
use session::Identity;
use shorten::Shortener;

/// TLS cannot be used on this machine.
#[derive(Debug, Error)]
#[error("irc.{entry}: TLS cannot be set up: {error}")]
struct TlsError {
    entry: usize,
    error: native_tls::Error,
}

struct IrcBot {
    bots: Vec<Arc<Bot>>,
    registry: Registry,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Consumer for IrcBot {
    const NAME: &'static str = "ircbot";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.ircbot.enabled";
    type Config = Config;

    fn topics(Config(table): &Config) -> Vec<Pattern> {
        table.irc.iter().flat_map(|entry| entry.channel.patterns()).collect()
    }

    fn start(Config(mut table): Config, hub: Hub) -> Result<Self, StartError> {
        bot::COUNTS.iter().for_each(|name| hub.count(name, 0));
        let registry = Registry::new(&table.topic_prefix);
        let common = Common::new(&mut table);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let mut bots = Vec::new();
        let mut tasks = JoinSet::new();
        for (number, mut entry) in table.irc.into_iter().enumerate() {
            let bot = Arc::new(Bot::new(&mut entry.channel, hub.clone()));
            let settings = common.settings(number, entry)?;
            tasks.spawn_on(connection::run(settings, Arc::clone(&bot), stopped.clone()), runtime.handle());
            bots.push(bot);
        }
        let thread = std::thread::Builder::new().name("ircbot".to_owned()).spawn(move || {
            // A bot that panicked has been reported; the others go on.
            runtime.block_on(async { while tasks.join_next().await.is_some() {} });
            // A lookup of a name may still be under way.
            runtime.shutdown_background();
        })?;
        Ok(Self { bots, registry, stop, thread })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        if self.thread.is_finished() {
            return Err(Failure::stop("no bot is left"));
        }
        self.bots.iter().for_each(|bot| bot.offer(message, &self.registry));
        Ok(())
    }

    fn stop(self) {
        self.stop.send_replace(true);
        // A panic has been reported.
        self.thread.join().ok();
    }
}

/// What the entries share.
struct Common {
    palette: Arc<Palette>,
    shortener: Option<Shortener>,
    connect_interval: Duration,
    method: config::Method,
}

impl Common {
    fn new(table: &mut Table) -> Self {
        let timeout = table.link_shortener_timeout.0;
        Self {
            palette: Arc::new(Palette {
                by_category: std::mem::take(&mut table.irc_color_lookup),
                default: table.irc_default_color,
            }),
            shortener: table.link_shortener.as_ref().map(|template| Shortener::new(&template.0, timeout)),
            connect_interval: table.connect_interval.0,
            method: table.irc_method,
        }
    }

    fn settings(&self, number: usize, entry: Entry) -> Result<Settings, TlsError> {
        let Entry { channel, login } = entry;
        let port = channel.port();
        let tls = channel.ssl.then(|| tls(channel.ca_file.as_ref())).transpose();
        Ok(Settings {
            port,
            tls: tls.map_err(|error| TlsError { entry: number, error })?,
            identity: Identity {
                nickname: channel.nickname.0,
                channel: channel.channel.0,
                channel_key: channel.channel_key.map(|key| key.0),
                login,
                method: self.method,
            },
            network: channel.network,
            delay: self.connect_interval.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX)),
            line_rate: channel.line_rate.0,
            timeout: channel.timeout.0,
            reconnect_wait: channel.reconnect_wait.0,
            palette: channel.make_pretty.then(|| Arc::clone(&self.palette)),
            shortener: self.shortener.clone().filter(|_| channel.make_short),
        })
    }
}

fn tls(authority: Option<&Authority>) -> Result<TlsConnector, native_tls::Error> {
    let mut builder = native_tls::TlsConnector::builder();
    if let Some(Authority(certificate)) = authority {
        builder.add_root_certificate(certificate.clone());
    }
    Ok(builder.build()?.into())
}

export_plugin!(IrcBot);

#[cfg(test)]
mod tests;
