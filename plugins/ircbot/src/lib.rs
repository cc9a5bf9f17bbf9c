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
mod line;
mod queue;
mod raw;
mod session;
mod shorten;

use std::path::Path;
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
use config::{Channel, Config, Secret};
use connection::Settings;
use session::{Identity, Login};
use shorten::Shortener;

/// What is wrong with an entry of `irc`, beyond what its types say.
#[derive(Debug, Error)]
enum EntryError {
    #[error("irc.{entry}: {path}: {error}")]
    File { entry: usize, path: String, error: std::io::Error },
    #[error("irc.{entry}: {path} is no PEM certificate: {error}")]
    Certificate { entry: usize, path: String, error: native_tls::Error },
    #[error("irc.{entry}: TLS cannot be set up: {error}")]
    Tls { entry: usize, error: native_tls::Error },
    #[error("irc.{entry}: {path} does not hold a password on its first line")]
    Password { entry: usize, path: String },
    #[error("irc.{entry}: {problem}")]
    Keys { entry: usize, problem: &'static str },
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

    fn topics(config: &Config) -> Vec<Pattern> {
        config.irc.iter().flat_map(Channel::patterns).collect()
    }

    fn start(mut config: Config, hub: Hub) -> Result<Self, StartError> {
        if config.irc.is_empty() {
            return Err(StartError::fatal(
                "no channel is configured: add an entry [[fedmsg.consumers.ircbot.irc]]",
            ));
        }
        bot::COUNTS.iter().for_each(|name| hub.count(name, 0));
        let registry = Registry::new(&config.topic_prefix);
        let common = Common::new(&mut config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let mut bots = Vec::new();
        let mut tasks = JoinSet::new();
        for (entry, mut channel) in config.irc.into_iter().enumerate() {
            let bot = Arc::new(Bot::new(&mut channel, hub.clone()));
            let settings = common.settings(entry, channel)?;
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
    fn new(config: &mut Config) -> Self {
        let timeout = config.link_shortener_timeout.0;
        Self {
            palette: Arc::new(Palette {
                by_category: std::mem::take(&mut config.irc_color_lookup),
                default: config.irc_default_color,
            }),
            shortener: config.link_shortener.as_ref().map(|template| Shortener::new(&template.0, timeout)),
            connect_interval: config.connect_interval.0,
            method: config.irc_method,
        }
    }

    fn settings(&self, entry: usize, channel: Channel) -> Result<Settings, EntryError> {
        let login = login(entry, &channel)?;
        let port = channel.port();
        Ok(Settings {
            port,
            tls: channel.ssl.then(|| tls(entry, channel.ca_file.as_deref())).transpose()?,
            identity: Identity {
                nickname: channel.nickname.0,
                channel: channel.channel.0,
                channel_key: channel.channel_key.map(|key| key.0),
                login,
                method: self.method,
            },
            network: channel.network,
            delay: self.connect_interval.saturating_mul(u32::try_from(entry).unwrap_or(u32::MAX)),
            line_rate: channel.line_rate.0,
            timeout: channel.timeout.0,
            reconnect_wait: channel.reconnect_wait.0,
            palette: channel.make_pretty.then(|| Arc::clone(&self.palette)),
            shortener: self.shortener.clone().filter(|_| channel.make_short),
        })
    }
}

fn login(entry: usize, channel: &Channel) -> Result<Option<Login>, EntryError> {
    let wrong = |problem| EntryError::Keys { entry, problem };
    let password = match (&channel.password, &channel.password_file) {
        (Some(_), Some(_)) => return Err(wrong("password and password_file exclude each other")),
        (Some(password), None) => Some(password.clone()),
        (None, Some(file)) => Some(password_in(entry, file)?),
        (None, None) => None,
    };
    match (channel.auth, password) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(wrong("auth says whom the password is for: \"sasl\", \"nickserv\" or \"server\""))
        }
        (Some(_), None) => Err(wrong("auth needs a password or a password_file")),
        (Some(to), Some(password)) => {
            let account = channel.account.as_ref().unwrap_or(&channel.nickname).0.clone();
            Ok(Some(Login { to, account, password: password.expose().to_owned() }))
        }
    }
}

fn password_in(entry: usize, file: &Path) -> Result<Secret, EntryError> {
    let path = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return Err(EntryError::File { entry, path, error }),
    };
    let first = text.lines().next().unwrap_or_default().to_owned();
    Secret::try_from(first).map_err(|_| EntryError::Password { entry, path })
}

fn tls(entry: usize, ca_file: Option<&Path>) -> Result<TlsConnector, EntryError> {
    let mut builder = native_tls::TlsConnector::builder();
    if let Some(file) = ca_file {
        let path = file.display().to_string();
        let pem = match std::fs::read(file) {
            Ok(pem) => pem,
            Err(error) => return Err(EntryError::File { entry, path, error }),
        };
        let certificate = native_tls::Certificate::from_pem(&pem)
            .map_err(|error| EntryError::Certificate { entry, path, error })?;
        builder.add_root_certificate(certificate);
    }
    Ok(builder.build().map_err(|error| EntryError::Tls { entry, error })?.into())
}

export_plugin!(IrcBot);

#[cfg(test)]
mod tests;
