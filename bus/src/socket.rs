//! How [`Options`] land on a socket.

use std::time::Duration;

use crate::{BusError, Options};

/// How long an attempt to connect may take before it counts as failed. The system's own limit is minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The receiving socket of one endpoint.
pub(crate) fn subscriber(zmq: &zmq::Context, options: &Options) -> Result<zmq::Socket, BusError> {
    // It has nothing to send but its subscriptions, which are worth no wait.
    open(zmq, zmq::SUB, options, Duration::ZERO).map_err(BusError::system("open a SUB socket"))
}

/// The sending socket of one publisher: unlike PUB, XPUB lets it see the subscriptions.
pub(crate) fn publisher(zmq: &zmq::Context, options: &Options) -> Result<zmq::Socket, BusError> {
    open(zmq, zmq::XPUB, options, options.linger).map_err(BusError::system("open an XPUB socket"))
}

fn open(
    zmq: &zmq::Context,
    kind: zmq::SocketType,
    options: &Options,
    linger: Duration,
) -> zmq::Result<zmq::Socket> {
    let socket = zmq.socket(kind)?;
    socket.set_sndhwm(number(options.high_water_mark))?;
    socket.set_rcvhwm(number(options.receive_high_water_mark))?;
    socket.set_linger(millis(linger))?;
    socket.set_tcp_keepalive(options.tcp_keepalive.into())?;
    socket.set_tcp_keepalive_cnt(number(options.tcp_keepalive_cnt.max(1)))?;
    socket.set_tcp_keepalive_idle(seconds(options.tcp_keepalive_idle))?;
    socket.set_tcp_keepalive_intvl(seconds(options.tcp_keepalive_intvl))?;
    // Zero would mean never to libzmq.
    socket.set_reconnect_ivl(millis(options.reconnect_ivl).max(1))?;
    socket.set_reconnect_ivl_max(millis(options.reconnect_ivl_max))?;
    socket.set_connect_timeout(millis(CONNECT_TIMEOUT))?;
    // libzmq's limit is met by a mechanism alone: it would cut off whoever speaks ZMTP 2 or 1 (libzmq 3 and 2) every 30 s.
    socket.set_handshake_ivl(0)?;
    socket.set_maxmsgsize(options.max_message_size.try_into().unwrap_or(i64::MAX))?;
    Ok(socket)
}

pub(crate) fn millis(duration: Duration) -> i32 {
    duration.as_millis().try_into().unwrap_or(i32::MAX)
}

fn seconds(duration: Duration) -> i32 {
    duration.as_secs().max(1).try_into().unwrap_or(i32::MAX)
}

fn number(value: u32) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_lands_on_the_socket() {
        let options = Options {
            high_water_mark: 7,
            receive_high_water_mark: 8,
            io_threads: 2,
            linger: Duration::from_millis(1_001),
            tcp_keepalive: true,
            tcp_keepalive_cnt: 4,
            tcp_keepalive_idle: Duration::from_secs(61),
            tcp_keepalive_intvl: Duration::from_secs(6),
            reconnect_ivl: Duration::from_millis(101),
            reconnect_ivl_max: Duration::from_millis(1_002),
            heartbeat_ivl: Duration::from_secs(9),
            max_message_size: 12_345,
            dns_server: None,
        };
        let zmq = zmq::Context::new();
        for (socket, linger) in [(publisher(&zmq, &options), 1_001), (subscriber(&zmq, &options), 0)] {
            let socket = socket.unwrap();
            assert_eq!(socket.get_sndhwm(), Ok(7));
            assert_eq!(socket.get_rcvhwm(), Ok(8));
            assert_eq!(socket.get_linger(), Ok(linger));
            assert_eq!(socket.get_tcp_keepalive(), Ok(1));
            assert_eq!(socket.get_tcp_keepalive_cnt(), Ok(4));
            assert_eq!(socket.get_tcp_keepalive_idle(), Ok(61));
            assert_eq!(socket.get_tcp_keepalive_intvl(), Ok(6));
            assert_eq!(socket.get_reconnect_ivl(), Ok(101));
            assert_eq!(socket.get_reconnect_ivl_max(), Ok(1_002));
            // libzmq's own end the process when they find a peer dead whose messages wait here.
            assert_eq!(socket.get_heartbeat_ivl(), Ok(0));
            assert_eq!(socket.get_handshake_ivl(), Ok(0));
            assert_eq!(socket.get_maxmsgsize(), Ok(12_345));
        }
    }

    #[test]
    fn python_fedmsgs_defaults_land_on_the_socket() {
        let socket = publisher(&zmq::Context::new(), &Options::default()).unwrap();
        assert_eq!(socket.get_sndhwm(), Ok(0));
        assert_eq!(socket.get_linger(), Ok(1_000));
        assert_eq!(socket.get_tcp_keepalive(), Ok(1));
        assert_eq!(socket.get_tcp_keepalive_cnt(), Ok(3));
        assert_eq!(socket.get_tcp_keepalive_idle(), Ok(60));
        assert_eq!(socket.get_tcp_keepalive_intvl(), Ok(5));
        assert_eq!(socket.get_reconnect_ivl(), Ok(100));
        assert_eq!(socket.get_reconnect_ivl_max(), Ok(1_000));
    }
}
