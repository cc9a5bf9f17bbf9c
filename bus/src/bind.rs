//! Binding, with the system's own words when it fails.
//!
//! libzmq resolves no host name to bind, deletes whatever file lies where an ipc socket shall be (another process's
//! live socket too), and crate zmq panics on an errno it does not know. So the system is asked first, through std.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::{Address, BusError, EndpointName, Host};

/// Binds the socket and returns the address with the port that it got.
pub(crate) fn bind(
    socket: &zmq::Socket,
    endpoint: &EndpointName,
    address: &Address,
) -> Result<Address, BusError> {
    if address.is_service() {
        return Err(BusError::Service { endpoint: endpoint.clone(), address: address.clone() });
    }
    try_bind(socket, address).map_err(|source| BusError::Bind {
        endpoint: endpoint.clone(),
        address: address.clone(),
        mend: mend(address, source.kind()),
        source,
    })
}

fn try_bind(socket: &zmq::Socket, address: &Address) -> io::Result<Address> {
    match address {
        Address::Tcp { host, port } => {
            let at = local(host, port.unwrap_or(0))?;
            drop(TcpListener::bind(at)?);
            socket.set_ipv6(at.is_ipv6())?;
            let port = port.map_or_else(|| "*".to_owned(), |port| port.to_string());
            socket.bind(&match at {
                SocketAddr::V4(at) => format!("tcp://{}:{port}", at.ip()),
                SocketAddr::V6(at) => format!("tcp://[{}]:{port}", at.ip()),
            })?;
            match bound(socket)? {
                Address::Tcp { port, .. } => Ok(Address::Tcp { host: host.clone(), port }),
                other => Ok(other),
            }
        }
        Address::Ipc(path) => {
            if path != "*" && !path.starts_with('@') {
                claim(path)?;
            }
            socket.bind(&address.to_string())?;
            bound(socket)
        }
        Address::Inproc(_) | Address::Srv(_) => {
            socket.bind(&address.to_string())?;
            Ok(address.clone())
        }
    }
}

fn local(host: &Host, port: u16) -> io::Result<SocketAddr> {
    match host {
        Host::Any => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        Host::V4(ip) => Ok((*ip, port).into()),
        Host::V6(ip) => Ok((*ip, port).into()),
        Host::Name(name) => {
            let found: Vec<_> = (name.as_str(), port).to_socket_addrs()?.collect();
            found
                .iter()
                .find(|at| at.is_ipv4())
                .or(found.first())
                .copied()
                .ok_or_else(|| ErrorKind::AddrNotAvailable.into())
        }
    }
}

/// Makes sure that the path is free, writable and not somebody's.
fn claim(path: &str) -> io::Result<()> {
    let is_stale_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    if is_stale_socket {
        fs::remove_file(path)?;
    }
    drop(UnixListener::bind(path)?);
    fs::remove_file(path)
}

fn bound(socket: &zmq::Socket) -> io::Result<Address> {
    let text = socket.get_last_endpoint()?;
    text.ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidData, "libzmq does not tell the address that it bound")
    })
}

fn mend(address: &Address, kind: ErrorKind) -> &'static str {
    match (address, kind) {
        (_, ErrorKind::AddrInUse) => "stop what holds it, or choose another address",
        (Address::Tcp { .. }, ErrorKind::PermissionDenied) => {
            "choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
        }
        (Address::Ipc(_), ErrorKind::PermissionDenied) => "let this user write to the folder",
        (Address::Ipc(_), ErrorKind::NotFound) => "create the folder first",
        (Address::Tcp { .. }, _) => "name an address that this machine has, or `*`",
        _ => "choose another address",
    }
}
