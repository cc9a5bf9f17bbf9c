//! `[http]` and `[monitoring]`: how the hub is looked at from outside.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use bus::{Address, AddressError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[http]`: health and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: Listen,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 9941))) }
    }
}

/// Where to listen for HTTP: `ADDRESS:PORT`, `unix:PATH`, or nowhere, which is written as nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// On a port; 0 is any free one.
    Tcp(SocketAddr),
    /// On a socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => Ok(()),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("unix:") {
            _ if text.is_empty() => Ok(Self::Off),
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err(serde::de::Error::custom("a path after `unix:` begins with `/`")),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                serde::de::Error::custom(format!(
                    "`{text}` is no address such as `127.0.0.1:9941`, `[::1]:9941` or `unix:/run/fedmsg/http.sock`"
                ))
            }),
        }
    }
}

/// `[monitoring]`: health in the form in which Python hubs tell it, by ZeroMQ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitoringSettings {
    /// The address to publish it at; none if empty. Python calls it `moksha.monitoring.socket`.
    pub socket: String,
    /// Who may connect to it, if it is a file: its mode, in octal. Python calls it `moksha.monitoring.socket.mode`.
    pub socket_mode: String,
}

impl Default for MonitoringSettings {
    fn default() -> Self {
        Self { socket: String::new(), socket_mode: "0660".to_owned() }
    }
}

impl MonitoringSettings {
    /// The address; `None` if there is to be none.
    ///
    /// # Errors
    /// It is no address. A loaded configuration has none such.
    pub fn address(&self) -> Result<Option<Address>, AddressError> {
        if self.socket.is_empty() { Ok(None) } else { self.socket.parse().map(Some) }
    }

    /// The mode of the socket's file. A loaded configuration has one.
    #[must_use]
    pub fn mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.socket_mode, 8).ok().filter(|mode| *mode <= 0o777)
    }

    /// Keys with values that cannot be, and why.
    pub(crate) fn out_of_range(&self) -> impl Iterator<Item = (&'static str, &'static str, String)> {
        let address = self.address().err().map(|error| ("monitoring", "socket", error.to_string()));
        let mode = self.mode().is_none().then(|| {
            ("monitoring", "socket_mode", "must be the mode of a file in octal, such as \"0660\"".to_owned())
        });
        address.into_iter().chain(mode)
    }
}
