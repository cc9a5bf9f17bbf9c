//! How the address of a name server is written.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serializer, de};

/// The port that name servers have unless somebody says otherwise.
const PORT: u16 = 53;

pub(crate) fn serialize<S: Serializer>(server: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
    match server {
        Some(server) => to.collect_str(server),
        None => to.serialize_str(""),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let server = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)));
    server.map(Some).map_err(|_| {
        de::Error::custom(format!(
            "`{text}` is no address such as `192.0.2.53`, `127.0.0.1:8600` or `[::1]:53`"
        ))
    })
}
