//! Where the gateway is bound: `tcp://ADDRESS:PORT`.

use std::net::{Ipv6Addr, SocketAddr};

use serde::Deserialize;

/// An address to bind, as it is written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address {
    written: String,
    /// What is bound. The unspecified IPv6 address takes IPv4, too.
    pub(crate) socket: SocketAddr,
}

/// It is no address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address to bind: tcp://ADDRESS:PORT, with `*`, an IPv4 or an [IPv6] address")]
pub(crate) struct NoAddress(String);

impl Default for Address {
    /// Where Fedora's gateway is.
    fn default() -> Self {
        Self { written: "tcp://*:9940".to_owned(), socket: (Ipv6Addr::UNSPECIFIED, 9940).into() }
    }
}

impl TryFrom<String> for Address {
    type Error = NoAddress;

    fn try_from(written: String) -> Result<Self, NoAddress> {
        let socket = || {
            let (host, port) = written.strip_prefix("tcp://")?.rsplit_once(':')?;
            // As libzmq has it: any free port.
            let port = if port == "*" { 0 } else { port.parse().ok()? };
            let ip = match host {
                "*" => Ipv6Addr::UNSPECIFIED.into(),
                host => match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                    Some(host) => host.parse::<Ipv6Addr>().ok()?.into(),
                    None => host.parse::<std::net::Ipv4Addr>().ok()?.into(),
                },
            };
            Some(SocketAddr::new(ip, port))
        };
        match socket() {
            Some(socket) => Ok(Self { written, socket }),
            None => Err(NoAddress(written)),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tcp_with_an_ip_address_or_a_star() {
        for (written, socket) in [
            ("tcp://*:9940", Some("[::]:9940")),
            ("tcp://127.0.0.1:*", Some("127.0.0.1:0")),
            ("tcp://[::1]:9940", Some("[::1]:9940")),
            ("tcp://::1:9940", None),
            ("tcp://localhost:9940", None),
            ("tcp://*", None),
            ("tcp://*:99400", None),
            ("ipc:///run/gateway", None),
        ] {
            let address = Address::try_from(written.to_owned()).ok();
            assert_eq!(address.map(|a| a.socket), socket.map(|s| s.parse().unwrap()), "{written}");
        }
        assert_eq!(Address::try_from("tcp://*:9940".to_owned()).unwrap(), Address::default());
    }
}
