//! Who listens where on this machine, as `/proc` tells: nothing has to be bound or connected to for that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bus::{Address, Host};
use procfs::net::{TcpState, UnixState};
use procfs::process::{FDTarget, all_processes};
use settings::Listen;

/// A place that one can listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(SocketAddr),
    /// The path of a file, or `@` and an abstract name.
    Unix(PathBuf),
}

/// `SOCK_STREAM`.
const STREAM: u16 = 1;

impl Place {
    /// Where an address is bound; `None` if that is only known then, or of no concern to others.
    pub(super) fn of_address(address: &Address) -> Option<Self> {
        match address {
            Address::Tcp { host, port: Some(port) } => {
                let ip = match host {
                    Host::Any => Ipv4Addr::UNSPECIFIED.into(),
                    Host::V4(ip) => IpAddr::V4(*ip),
                    Host::V6(ip) => IpAddr::V6(*ip),
                    Host::Name(_) => return None,
                };
                Some(Self::Tcp((ip, *port).into()))
            }
            Address::Ipc(path) if path != "*" => Some(Self::Unix(path.into())),
            Address::Tcp { .. } | Address::Ipc(_) | Address::Inproc(_) | Address::Srv(_) => None,
        }
    }

    /// The same for HTTP.
    pub(super) fn of_listen(listen: &Listen) -> Option<Self> {
        match listen {
            Listen::Tcp(address) if address.port() != 0 => Some(Self::Tcp(*address)),
            Listen::Unix(path) => Some(Self::Unix(path.clone())),
            Listen::Tcp(_) | Listen::Off => None,
        }
    }

    /// Whether only one of both can be had.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix(one), Self::Unix(other)) => one == other,
            (Self::Tcp(one), Self::Tcp(other)) => {
                let (ip, its) = (one.ip(), other.ip());
                // `[::]` takes IPv4, too, as Linux comes.
                let covers = |all: IpAddr, ip: IpAddr| {
                    all.is_unspecified() && (all.is_ipv6() || all.is_ipv4() == ip.is_ipv4())
                };
                one.port() == other.port() && (ip == its || covers(ip, its) || covers(its, ip))
            }
            _ => false,
        }
    }
}

/// A socket that listens, by the number that the system has for it.
pub(super) struct Listener {
    pub(super) place: Place,
    inode: u64,
}

/// Every one in this network.
pub(super) fn all() -> Vec<Listener> {
    // What the system does not tell cannot be told on.
    let tcp = procfs::net::tcp().into_iter().chain(procfs::net::tcp6()).flatten();
    let tcp = tcp
        .filter(|socket| socket.state == TcpState::Listen)
        .map(|socket| Listener { place: Place::Tcp(socket.local_address), inode: socket.inode });
    let unix = procfs::net::unix().into_iter().flatten();
    let unix = unix
        .filter(|socket| socket.socket_type == STREAM && socket.state == UnixState::UNCONNECTED)
        .filter_map(|socket| Some(Listener { place: Place::Unix(socket.path?), inode: socket.inode }));
    tcp.chain(unix).collect()
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) name: String,
}

impl Listener {
    /// The process that has it open; `None` if this user may not see it.
    pub(super) fn holder(&self) -> Option<Holder> {
        all_processes().ok()?.flatten().find_map(|process| {
            let mut files = process.fd().ok()?.flatten();
            files.find(|file| matches!(file.target, FDTarget::Socket(inode) if inode == self.inode))?;
            let name = process.stat().map_or_else(|_| String::new(), |stat| stat.comm);
            Some(Holder { pid: u32::try_from(process.pid).ok()?, name })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_listener_is_found_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let (tcp, _unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
        for place in [Place::Tcp(tcp.local_addr().unwrap()), Place::Unix(path)] {
            let found = all().into_iter().find(|listener| listener.place == place).unwrap();
            assert_eq!(found.holder().unwrap().pid, std::process::id());
        }
        let place = Place::Tcp(tcp.local_addr().unwrap());
        drop(tcp);
        assert!(all().iter().all(|listener| listener.place != place));
    }

    #[test]
    fn a_wildcard_takes_the_port_of_every_address() {
        let excludes = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| Place::of_address(&text.parse().unwrap()).unwrap());
            assert_eq!(one.excludes(&other), other.excludes(&one));
            one.excludes(&other)
        };
        for (one, other) in [
            ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1"),
            ("tcp://*:1", "tcp://127.0.0.1:1"),
            ("tcp://[::]:1", "tcp://127.0.0.1:1"),
            ("tcp://[::]:1", "tcp://[::1]:1"),
            ("ipc:///a", "ipc:///a"),
        ] {
            assert!(excludes(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2"),
            ("tcp://127.0.0.1:1", "tcp://127.0.0.2:1"),
            ("tcp://*:1", "tcp://[::1]:1"),
            ("tcp://*:1", "ipc:///a"),
        ] {
            assert!(!excludes(one, other), "{one} {other}");
        }
    }
}
