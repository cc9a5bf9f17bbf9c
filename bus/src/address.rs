//! Where a socket binds or connects: parsed once, valid ever after.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a socket binds or connects: `tcp://host:port`, `ipc://path` or `inproc://name`, all as in ZeroMQ; or where to look
/// that up: `srv://name`.
///
/// A TCP host is an IPv4 address, an IPv6 address in brackets, a host name or, to bind, `*` (every IPv4
/// interface, as in Python fedmsg; `[::]` is every interface of both families). A port to bind may be `*`:
/// any free one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// `tcp://host:port`.
    Tcp {
        /// The machine or interface.
        host: Host,
        /// `None` is `*`: any free port, to bind only.
        port: Option<u16>,
    },
    /// `ipc://path`: a Unix socket; `@name` is an abstract one.
    Ipc(String),
    /// `inproc://name`: sockets of the same [`crate::Context`].
    Inproc(String),
    /// `srv://name`: every `tcp://target:port` of the DNS records SRV of `_fedmsg._tcp.name`, whatever their priorities
    /// (`srv_endpoints` in `fedmsg/config.py`). To subscribe to only.
    Srv(String),
}

/// The host of a TCP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `*`: every IPv4 interface, to bind only.
    Any,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
    /// A name to be resolved; also a link-local IPv6 address with its zone (`fe80::1%eth0`).
    Name(String),
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("bad address `{text}`: {fault}")]
pub struct AddressError {
    text: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Fault {
    #[error("the transport is missing; write `tcp://{0}` or `ipc://{0}`")]
    NoTransport(String),
    #[error("unknown transport `{0}`; use tcp, ipc, inproc or srv")]
    UnknownTransport(String),
    #[error("the port is missing; write `tcp://{0}:PORT`")]
    NoPort(String),
    #[error("`{0}` is no port; use a number from 1 to 65535, or `*` to bind any free port")]
    BadPort(String),
    #[error("the host is missing; write `tcp://HOST:PORT`, or `*` as host to bind every interface")]
    NoHost,
    #[error("`{0}` is no IPv4 address, IPv6 address in brackets, or host name")]
    BadHost(String),
    #[error("an IPv6 address goes into brackets; write `tcp://[{0}]:PORT`")]
    Unbracketed(String),
    #[error("the path is missing; write `ipc:///run/fedmsg/NAME`")]
    NoPath,
    #[error("its path of {0} bytes is too long; a Unix socket's has {LONGEST_PATH} at most")]
    LongPath(usize),
    #[error("the name is missing; write `inproc://NAME`")]
    NoName,
    #[error("`{0}` is no domain; write `srv://relay.example.org`: DNS knows the ports")]
    BadDomain(String),
    #[error("a NUL character cannot be part of an address")]
    Nul,
}

/// What fits into the kernel's `sockaddr_un`, without the NUL at the end.
const LONGEST_PATH: usize = 107;

impl Address {
    /// Whether it names no single place (`*` as host or port), so that one can bind it but not connect to it.
    pub fn is_wildcard(&self) -> bool {
        match self {
            Self::Tcp { host, port } => *host == Host::Any || port.is_none(),
            Self::Ipc(path) => path == "*",
            Self::Inproc(_) | Self::Srv(_) => false,
        }
    }

    /// Whether it is looked up to learn the places, so that one can subscribe to it, but neither bind it nor publish to it.
    pub fn is_service(&self) -> bool {
        matches!(self, Self::Srv(_))
    }
}

impl From<SocketAddr> for Address {
    fn from(at: SocketAddr) -> Self {
        let host = match at.ip() {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        };
        Self::Tcp { host, port: Some(at.port()) }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|fault| AddressError { text: text.to_owned(), fault })
    }
}

fn parse(text: &str) -> Result<Address, Fault> {
    if text.contains('\0') {
        return Err(Fault::Nul);
    }
    let (transport, rest) = text.split_once("://").ok_or_else(|| Fault::NoTransport(text.to_owned()))?;
    match transport {
        "tcp" => parse_tcp(rest),
        "ipc" if rest.is_empty() => Err(Fault::NoPath),
        "ipc" if rest.len() > LONGEST_PATH => Err(Fault::LongPath(rest.len())),
        "ipc" => Ok(Address::Ipc(rest.to_owned())),
        "inproc" if rest.is_empty() => Err(Fault::NoName),
        "inproc" => Ok(Address::Inproc(rest.to_owned())),
        "srv" if is_name(rest) => Ok(Address::Srv(rest.to_owned())),
        "srv" => Err(Fault::BadDomain(rest.to_owned())),
        _ => Err(Fault::UnknownTransport(transport.to_owned())),
    }
}

fn parse_tcp(rest: &str) -> Result<Address, Fault> {
    if rest.parse::<Ipv6Addr>().is_ok() {
        return Err(Fault::Unbracketed(rest.to_owned()));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => return Err(Fault::NoPort(rest.to_owned())),
    };
    let port = match port {
        "" => return Err(Fault::NoPort(host.to_owned())),
        "*" => None,
        digits => match digits.parse::<u16>() {
            Ok(number) if number > 0 => Some(number),
            _ => return Err(Fault::BadPort(digits.to_owned())),
        },
    };
    Ok(Address::Tcp { host: parse_host(host)?, port })
}

fn parse_host(host: &str) -> Result<Host, Fault> {
    let bad = || Fault::BadHost(host.to_owned());
    if host.is_empty() {
        return Err(Fault::NoHost);
    }
    if host == "*" {
        return Ok(Host::Any);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(bad)?;
        if let Ok(address) = inner.parse() {
            return Ok(Host::V6(address));
        }
        return match inner.split_once('%') {
            Some((address, zone)) if address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() => {
                Ok(Host::Name(inner.to_owned()))
            }
            _ => Err(bad()),
        };
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(Fault::Unbracketed(host.to_owned()));
    }
    if let Ok(address) = host.parse() {
        return Ok(Host::V4(address));
    }
    if is_name(host) { Ok(Host::Name(host.to_owned())) } else { Err(bad()) }
}

fn is_name(text: &str) -> bool {
    text.len() <= 253
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        // Four numbers are meant as an IPv4 address, and one that failed to parse must not go to the resolver.
        && !text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port: Some(port) } => write!(f, "tcp://{host}:{port}"),
            Self::Tcp { host, port: None } => write!(f, "tcp://{host}:*"),
            Self::Ipc(path) => write!(f, "ipc://{path}"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Srv(name) => write!(f, "srv://{name}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_valid_is_written_as_it_was_read() {
        for text in [
            "tcp://127.0.0.1:2003",
            "tcp://*:4001",
            "tcp://*:*",
            "tcp://[::1]:9940",
            "tcp://[fe80::1%eth0]:9940",
            "tcp://hub.fedoraproject.org:9940",
            "tcp://under_score-1:1",
            "ipc:///run/fedmsg/hub.sock",
            "ipc://@abstract",
            "inproc://test",
            "srv://relay.example.org",
        ] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_error_names_the_address_and_the_mend() {
        for (text, mend) in [
            ("127.0.0.1:2003", "write `tcp://127.0.0.1:2003`"),
            ("udp://127.0.0.1:2003", "unknown transport `udp`; use tcp, ipc, inproc or srv"),
            ("tcp://127.0.0.1", "write `tcp://127.0.0.1:PORT`"),
            ("tcp://[::1]", "write `tcp://[::1]:PORT`"),
            ("tcp://hub:", "write `tcp://hub:PORT`"),
            ("tcp://hub:70000", "`70000` is no port"),
            ("tcp://hub:0", "`0` is no port"),
            ("tcp://:1", "the host is missing"),
            ("tcp://::1", "write `tcp://[::1]:PORT`"),
            ("tcp://fe80::1:x:9", "is no IPv4 address"),
            ("tcp://[::1:9940", "is no IPv4 address"),
            ("tcp://300.0.0.1:9", "is no IPv4 address"),
            ("tcp://a b:9", "is no IPv4 address"),
            ("ipc://", "the path is missing"),
            ("inproc://", "the name is missing"),
            ("srv://", "is no domain"),
            ("srv://hub:4001", "DNS knows the ports"),
            ("srv://10.0.0.1", "is no domain"),
            ("ipc://a\0b", "NUL"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(mend) && error.contains(text), "{text:?}: {error}");
        }
    }
}
