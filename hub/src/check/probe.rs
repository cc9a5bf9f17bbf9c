//! `--connect`: whether a publisher answers at each address. A connection is made, greetings are exchanged as ZMTP has
//! them (<https://rfc.zeromq.org/spec/23/>), and it is ended again: nothing is subscribed to.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use bus::Address;

/// How long each of connecting, writing and reading may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an address may take in all, its name included.
const LIMIT: Duration = Duration::from_secs(15);

/// As many addresses are probed at once.
const AT_ONCE: usize = 64;

/// What both sides send at first: signature, version, mechanism, role, filler.
const GREETING: usize = 64;
const SIGNATURE: usize = 10;

/// What a publisher has said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Of ZMTP.
    pub(super) version: (u8, u8),
}

/// Why no publisher was met.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The name has no address.
    #[error("the host name does not resolve: {0}")]
    Unresolvable(io::Error),
    /// DNS has no places of the service.
    #[error("the service is not found: {0}")]
    NoService(String),
    /// Nobody is there.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// Nothing came in time.
    #[error("something takes the connection, and says nothing")]
    Silent,
    /// It took more time than there was.
    #[error("nothing has come of it in {LIMIT:?}")]
    TooLong,
    /// Something else answered.
    #[error("what answers there does not speak ZeroMQ")]
    NotZmtp,
    /// It wants clients to identify themselves.
    #[error("it wants the security mechanism {0:?}, and the bus has none")]
    Mechanism(String),
}

/// Probes all of them, many at once; each has its result at its place.
pub(super) fn all(addresses: &[Address]) -> Vec<Result<Greeting, ProbeError>> {
    let (jobs, queue) = crossbeam_channel::unbounded();
    let (tell, results) = crossbeam_channel::unbounded();
    for job in addresses.iter().cloned().enumerate() {
        // Both ends are here.
        jobs.send(job).ok();
    }
    drop(jobs);
    let mut probed: Vec<_> = addresses.iter().map(|_| Err(ProbeError::TooLong)).collect();
    for _ in 0..addresses.len().min(AT_ONCE) {
        let (queue, tell) = (queue.clone(), tell.clone());
        // Not waited for: a name server may hold it up for long.
        let started = thread::Builder::new().name("probe".to_owned()).spawn(move || {
            for (at, address) in queue {
                tell.send((at, probe(&address))).ok();
            }
        });
        if started.is_err() {
            break;
        }
    }
    drop(tell);
    let rounds = u32::try_from(addresses.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
    let deadline = Instant::now() + LIMIT.saturating_mul(rounds);
    while let Ok((at, result)) = results.recv_deadline(deadline) {
        if let Some(place) = probed.get_mut(at) {
            *place = result;
        }
    }
    probed
}

fn probe(address: &Address) -> Result<Greeting, ProbeError> {
    match address {
        Address::Tcp { host, port } => {
            let at = (host.to_string(), port.unwrap_or(0));
            let host = at.0.trim_matches(['[', ']']);
            let mut found: Vec<_> =
                (host, at.1).to_socket_addrs().map_err(ProbeError::Unresolvable)?.collect();
            // As the hub tries them.
            found.sort_by_key(SocketAddr::is_ipv6);
            let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for at in found {
                match TcpStream::connect_timeout(&at, PATIENCE) {
                    Ok(stream) => {
                        let patience = stream.set_read_timeout(Some(PATIENCE));
                        patience
                            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                            .map_err(ProbeError::Unreachable)?;
                        return greet(stream);
                    }
                    Err(error) => refused = error,
                }
            }
            Err(ProbeError::Unreachable(refused))
        }
        Address::Ipc(path) => {
            let connect = || {
                let stream = match path.strip_prefix('@') {
                    Some(name) => UnixStream::connect_addr(&UnixAddr::from_abstract_name(name)?)?,
                    None => UnixStream::connect(path)?,
                };
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(stream)
            };
            greet(connect().map_err(ProbeError::Unreachable)?)
        }
        Address::Inproc(_) | Address::Srv(_) => {
            Err(ProbeError::Unreachable(io::ErrorKind::Unsupported.into()))
        }
    }
}

/// Sends a greeting and judges the other side's.
fn greet(mut stream: impl Read + Write) -> Result<Greeting, ProbeError> {
    let mut ours = [0; GREETING];
    ours[0] = 0xff;
    ours[9] = 0x7f;
    ours[10] = 3;
    ours[12..16].copy_from_slice(b"NULL");
    // Who does not want it may have said something before.
    drop(stream.write_all(&ours));
    let mut theirs = [0; GREETING];
    read(&mut stream, &mut theirs[..=SIGNATURE])?;
    if theirs[0] != 0xff || theirs[9] & 1 != 1 {
        return Err(ProbeError::NotZmtp);
    }
    // Before version 3, there is no more of a greeting, and no mechanism.
    if theirs[10] < 3 {
        return Ok(Greeting { version: (theirs[10] + 1, 0) });
    }
    read(&mut stream, &mut theirs[SIGNATURE + 1..])?;
    let mechanism = theirs[12..32].split(|byte| *byte == 0).next().unwrap_or_default();
    if mechanism == b"NULL" {
        Ok(Greeting { version: (theirs[10], theirs[11]) })
    } else {
        Err(ProbeError::Mechanism(String::from_utf8_lossy(mechanism).into_owned()))
    }
}

fn read(stream: &mut impl Read, into: &mut [u8]) -> Result<(), ProbeError> {
    stream.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ProbeError::Silent,
        _ => ProbeError::NotZmtp,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Probes somebody who says this.
    fn probed(says: &[u8]) -> Result<Greeting, ProbeError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        let says = says.to_vec();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; GREETING];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(&says).unwrap();
        });
        let probed = all(&[address]).remove(0);
        server.join().unwrap();
        probed
    }

    fn greeting(version: [u8; 2], mechanism: &[u8]) -> Vec<u8> {
        let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];
        greeting.extend(version);
        greeting.extend(mechanism);
        greeting.resize(GREETING, 0);
        greeting
    }

    #[test]
    fn what_answers_is_known_by_its_greeting() {
        assert_eq!(probed(&greeting([3, 1], b"NULL")).unwrap().version, (3, 1));
        let old = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 1];
        assert_eq!(probed(&old).unwrap().version, (2, 0));
        let curve = probed(&greeting([3, 0], b"CURVE"));
        assert!(matches!(curve, Err(ProbeError::Mechanism(name)) if name == "CURVE"));
        for other in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"", &old[..5]] {
            assert!(matches!(probed(other), Err(ProbeError::NotZmtp)), "{other:?}");
        }
    }

    #[test]
    fn nobody_there_and_no_such_name_are_told_apart_and_each_result_is_at_its_place() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses =
            [format!("tcp://{free}"), "tcp://name.invalid:1".into(), "ipc:///no/such/socket".into()];
        let addresses = addresses.map(|text: String| text.parse().unwrap());
        let probed = all(&addresses);
        assert!(matches!(probed[0], Err(ProbeError::Unreachable(_))), "{probed:?}");
        assert!(matches!(probed[1], Err(ProbeError::Unresolvable(_))), "{probed:?}");
        assert!(matches!(probed[2], Err(ProbeError::Unreachable(_))), "{probed:?}");
    }
}
