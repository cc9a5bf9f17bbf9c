//! The keys of `[fedmsg.consumers.ircbot]` beside `enabled`. Where Python's `irc` had a name for a thing, it has it here.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use fancy_regex::Regex;
use plugin_api::Pattern;
use serde::Deserialize;
use thiserror::Error;

use crate::colour::Colour;
use crate::file::{Authority, PasswordFile};

/// The table, with a channel at least.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Table")]
pub(crate) struct Config(pub(crate) Table);

/// There is nothing to do.
#[derive(Debug, Error)]
#[error("no channel is configured: add an entry [[fedmsg.consumers.ircbot.irc]]")]
pub(crate) struct NoChannel;

impl TryFrom<Table> for Config {
    type Error = NoChannel;

    fn try_from(table: Table) -> Result<Self, NoChannel> {
        if table.irc.is_empty() { Err(NoChannel) } else { Ok(Self(table)) }
    }
}

/// What all channels have in common, and the channels.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Table {
    /// A connection each.
    pub(crate) irc: Vec<Entry>,
    pub(crate) irc_method: Method,
    pub(crate) irc_color_lookup: BTreeMap<String, Colour>,
    pub(crate) irc_default_color: Colour,
    /// What topics of this bus begin with; messages of others are described by their topic alone.
    pub(crate) topic_prefix: String,
    /// Between the first attempts of two connections to connect.
    pub(crate) connect_interval: Seconds,
    pub(crate) link_shortener: Option<LinkTemplate>,
    pub(crate) link_shortener_timeout: Seconds,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            irc: Vec::new(),
            irc_method: Method::Notice,
            irc_color_lookup: BTreeMap::new(),
            irc_default_color: Colour::LightGrey,
            topic_prefix: "org.fedoraproject".to_owned(),
            connect_interval: Seconds(Duration::from_secs(5)),
            link_shortener: None,
            link_shortener_timeout: Seconds(Duration::from_secs(3)),
        }
    }
}

/// A bot, and who it proves to be.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Channel")]
pub(crate) struct Entry {
    pub(crate) channel: Channel,
    pub(crate) login: Option<Login>,
}

/// What the bot proves to be itself with.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) to: Auth,
    pub(crate) account: String,
    pub(crate) password: Secret,
}

/// Keys that do not go together.
#[derive(Debug, Error)]
pub(crate) enum LoginError {
    #[error("password and password_file exclude each other")]
    TwoPasswords,
    #[error("auth says whom the password is for: \"sasl\", \"nickserv\" or \"server\"")]
    ForNobody,
    #[error("auth needs a password or a password_file")]
    NoPassword,
}

impl TryFrom<Channel> for Entry {
    type Error = LoginError;

    fn try_from(mut channel: Channel) -> Result<Self, LoginError> {
        let password = match (channel.password.take(), channel.password_file.take()) {
            (Some(_), Some(_)) => return Err(LoginError::TwoPasswords),
            (Some(password), None) | (None, Some(PasswordFile(password))) => Some(password),
            (None, None) => None,
        };
        let login = match (channel.auth, password) {
            (None, None) => None,
            (None, Some(_)) => return Err(LoginError::ForNobody),
            (Some(_), None) => return Err(LoginError::NoPassword),
            (Some(to), Some(password)) => {
                let account = channel.account.as_ref().unwrap_or(&channel.nickname).0.clone();
                Some(Login { to, account, password })
            }
        };
        Ok(Self { channel, login })
    }
}

/// A bot on one channel of one network.
#[derive(Debug, Deserialize)]
pub(crate) struct Channel {
    pub(crate) network: String,
    pub(crate) channel: ChannelName,
    /// What the channel's operators ask of those who join (mode +k).
    pub(crate) channel_key: Option<Word>,
    /// 6697 with `ssl`, else 6667.
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) ssl: bool,
    /// PEM file of the authority of the server's certificate, in addition to those of the system.
    pub(crate) ca_file: Option<Authority>,
    #[serde(default = "default_nickname")]
    pub(crate) nickname: Word,
    pub(crate) auth: Option<Auth>,
    /// The account for `auth`; the nickname unless configured.
    pub(crate) account: Option<Word>,
    pub(crate) password: Option<Secret>,
    pub(crate) password_file: Option<PasswordFile>,
    #[serde(default)]
    pub(crate) make_pretty: bool,
    #[serde(default)]
    pub(crate) make_terse: bool,
    #[serde(default)]
    pub(crate) make_short: bool,
    /// Between two lines.
    #[serde(default = "default_line_rate")]
    pub(crate) line_rate: Seconds,
    /// For a connection to come about, and without a sign of life until it counts as lost.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: Patience,
    /// The longest wait before another attempt to connect or to join; it doubles up to this.
    #[serde(default = "default_reconnect_wait")]
    pub(crate) reconnect_wait: Patience,
    #[serde(default = "default_topics")]
    pub(crate) topics: Vec<String>,
    #[serde(default)]
    pub(crate) filters: Filters,
    /// What is older when its turn comes is not said.
    pub(crate) max_age: Option<Seconds>,
    #[serde(default = "default_queue_messages")]
    pub(crate) queue_messages: NonZeroUsize,
    #[serde(default = "default_queue_bytes")]
    pub(crate) queue_bytes: NonZeroUsize,
    #[serde(default)]
    pub(crate) when_full: WhenFull,
    #[serde(default)]
    pub(crate) condense: bool,
}

impl Channel {
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.ssl { 6697 } else { 6667 })
    }

    pub(crate) fn patterns(&self) -> impl Iterator<Item = Pattern> {
        self.topics.iter().map(|topic| topic.as_str().into())
    }
}

fn default_nickname() -> Word {
    Word("fedmsg-bot".to_owned())
}

fn default_line_rate() -> Seconds {
    Seconds(Duration::from_secs(1))
}

fn default_timeout() -> Patience {
    Patience(Duration::from_secs(120))
}

fn default_reconnect_wait() -> Patience {
    Patience(Duration::from_secs(60))
}

fn default_topics() -> Vec<String> {
    vec!["*".to_owned()]
}

fn default_queue_messages() -> NonZeroUsize {
    const { NonZeroUsize::new(1000).unwrap() }
}

fn default_queue_bytes() -> NonZeroUsize {
    const { NonZeroUsize::new(1 << 20).unwrap() }
}

/// How a line is said. Bots don't answer notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Notice,
    Msg,
}

/// Whom the password is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// The server itself (PASS).
    Server,
    /// SASL PLAIN, before anything else is done.
    Sasl,
    /// The service NickServ, before the channel is joined.
    Nickserv,
}

/// Which message is left out when too many wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenFull {
    #[default]
    DropOldest,
    DropNewest,
}

/// Messages that any of these matches are not said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filters {
    /// Searched in the topic.
    pub(crate) topic: Vec<Search>,
    /// Searched in the body, which is JSON.
    pub(crate) body: Vec<Search>,
}

/// A regular expression, as Python's `re.search` reads it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Search(pub(crate) Regex);

impl TryFrom<String> for Search {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Regex::new(&text).map(Self).map_err(|error| format!("no regular expression: {error}"))
    }
}

/// A length of time, written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(pub(crate) Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds)
            .ok()
            // Beyond that, deadlines could not be reckoned with.
            .filter(|time| *time <= Duration::from_secs(365 * 24 * 3600))
            .map(Self)
            .ok_or_else(|| format!("{seconds} is no length of time in seconds"))
    }
}

/// A second at least: a server that is asked more often counts it as an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Seconds")]
pub(crate) struct Patience(pub(crate) Duration);

impl TryFrom<Seconds> for Patience {
    type Error = String;

    fn try_from(Seconds(time): Seconds) -> Result<Self, String> {
        if time < Duration::from_secs(1) {
            return Err(format!("{} is too short: a second, 1, is the least", time.as_secs_f64()));
        }
        Ok(Self(time))
    }
}

/// One parameter of an IRC command: no space, no control character, no `:` in front.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Word(pub(crate) String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let broken =
            word.is_empty() || word.starts_with(':') || word.chars().any(|c| c == ' ' || c.is_control());
        if broken { Err(format!("{word:?} is no word that IRC could carry")) } else { Ok(Self(word)) }
    }
}

/// A channel; the `#` may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Word")]
pub(crate) struct ChannelName(pub(crate) String);

impl TryFrom<Word> for ChannelName {
    type Error = String;

    fn try_from(Word(name): Word) -> Result<Self, String> {
        match name {
            name if name.contains(',') => Err(format!("{name:?} is no name of one channel")),
            name if name.starts_with('#') => Ok(Self(name)),
            name => Ok(Self(format!("#{name}"))),
        }
    }
}

/// A URL with `{url}` in it, where the link goes that is to be shortened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LinkTemplate(pub(crate) String);

impl TryFrom<String> for LinkTemplate {
    type Error = String;

    fn try_from(template: String) -> Result<Self, String> {
        let is_url = template.starts_with("http://") || template.starts_with("https://");
        if is_url && template.contains("{url}") {
            Ok(Self(template))
        } else {
            Err(format!("{template:?} is no http URL with {{url}} in it"))
        }
    }
}

/// A password, which nobody prints.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Secret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("a password is one line of text");
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
