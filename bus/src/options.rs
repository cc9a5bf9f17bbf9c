//! The socket options of hub.toml's `[zmq]` table and how they land on a socket.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as human;
use serde::{Deserialize, Serialize};

/// How sockets behave. Names and defaults are those of Python fedmsg where it has them.
///
/// Durations are written as text: `"100ms"`, `"1s"`, `"2m"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Messages that a publisher queues for each slow subscriber before it drops; 0 is no limit.
    pub high_water_mark: u32,
    /// Messages that a subscriber queues for each connection before TCP makes the publisher wait; 0 is no limit.
    pub receive_high_water_mark: u32,
    /// Threads that move bytes between sockets and the network.
    pub io_threads: u8,
    /// How long what was published waits to be sent after a socket closes.
    #[serde(with = "human")]
    pub linger: Duration,
    /// Whether the system probes silent TCP connections.
    pub tcp_keepalive: bool,
    /// Unanswered probes until the connection counts as lost.
    pub tcp_keepalive_cnt: u32,
    /// Silence until the first probe; whole seconds.
    #[serde(with = "human")]
    pub tcp_keepalive_idle: Duration,
    /// Time between probes; whole seconds.
    #[serde(with = "human")]
    pub tcp_keepalive_intvl: Duration,
    /// Wait until the first attempt to reconnect; it doubles with each attempt.
    #[serde(with = "human")]
    pub reconnect_ivl: Duration,
    /// The longest wait between attempts to reconnect.
    #[serde(with = "human")]
    pub reconnect_ivl_max: Duration,
    /// Time between the greetings that a subscriber sends to each peer it is connected to, on a connection of its own for
    /// the moment. Who has not answered when as much time is over is [`crate::State::Unresponsive`]. 0 sends none.
    #[serde(with = "human")]
    pub heartbeat_ivl: Duration,
    /// Bytes of the largest frame a peer may send; a larger one ends its connection.
    pub max_message_size: u64,
    /// The name server that knows the services (`srv://`) and the hosts of their targets; those of the system if none.
    ///
    /// Written as `"192.0.2.53"` or `"127.0.0.1:8600"`; `""` is none.
    #[serde(with = "crate::name_server")]
    pub dns_server: Option<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            high_water_mark: 0,
            receive_high_water_mark: 1000,
            io_threads: 1,
            linger: Duration::from_secs(1),
            tcp_keepalive: true,
            tcp_keepalive_cnt: 3,
            tcp_keepalive_idle: Duration::from_secs(60),
            tcp_keepalive_intvl: Duration::from_secs(5),
            reconnect_ivl: Duration::from_millis(100),
            reconnect_ivl_max: Duration::from_secs(1),
            heartbeat_ivl: Duration::from_secs(30),
            max_message_size: 256 * 1024 * 1024,
            dns_server: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_server_is_an_address_with_or_without_a_port_or_none() {
        for (text, written) in [
            ("", ""),
            ("192.0.2.53", "192.0.2.53:53"),
            ("127.0.0.1:8600", "127.0.0.1:8600"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            let options: Options = serde_json::from_value(json!({ "dns_server": text })).unwrap();
            assert_eq!(serde_json::to_value(&options).unwrap()["dns_server"], written);
        }
        let error = serde_json::from_value::<Options>(json!({ "dns_server": "ns1:53" })).unwrap_err();
        assert!(error.to_string().contains("`ns1:53` is no address such as `192.0.2.53`"), "{error}");
    }

    #[test]
    fn durations_are_written_for_people_and_what_is_left_out_is_the_default() {
        let text = r#"{"linger":"2s","reconnect_ivl":"250ms"}"#;
        let options: Options = serde_json::from_str(text).unwrap();
        let expected = Options {
            linger: Duration::from_secs(2),
            reconnect_ivl: Duration::from_millis(250),
            ..Options::default()
        };
        assert_eq!(options, expected);
        let again = serde_json::to_string(&options).unwrap();
        assert!(again.contains(r#""reconnect_ivl":"250ms""#), "{again}");
        assert_eq!(serde_json::from_str::<Options>(&again).unwrap(), options);
    }
}
