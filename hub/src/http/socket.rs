//! Where HTTP is listened for: a port, or a socket in the file system.

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};

use settings::Listen;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// The user and his group may connect to a socket in the file system.
const MODE: u32 = 0o660;

/// A place to listen at, taken.
pub(super) enum Bound {
    Tcp(StdTcpListener),
    Unix(StdUnixListener, File),
}

/// A socket that listens.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "it goes with the socket")] File),
}

/// The file of a socket; removed when dropped.
pub(super) struct File(PathBuf);

/// Somebody who has connected.
pub(super) enum Incoming {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Bound {
    /// Takes the place; `None` if that is to be nowhere.
    pub(super) fn bind(listen: &Listen) -> io::Result<Option<Self>> {
        match listen {
            Listen::Off => Ok(None),
            Listen::Tcp(address) => Ok(Some(Self::Tcp(StdTcpListener::bind(address)?))),
            Listen::Unix(path) => {
                remove_stale(path)?;
                let listener = StdUnixListener::bind(path)?;
                fs::set_permissions(path, Permissions::from_mode(MODE))?;
                Ok(Some(Self::Unix(listener, File(path.clone()))))
            }
        }
    }

    /// Where it is, with the real port.
    pub(super) fn address(&self) -> Listen {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or(Listen::Off, Listen::Tcp),
            Self::Unix(_, File(path)) => Listen::Unix(path.clone()),
        }
    }

    /// Listens. Within a runtime.
    pub(super) fn listen(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Socket::Tcp)
            }
            Self::Unix(listener, file) => {
                listener.set_nonblocking(true)?;
                Ok(Socket::Unix(UnixListener::from_std(listener)?, file))
            }
        }
    }
}

impl Socket {
    pub(super) async fn accept(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Incoming::Tcp(stream)),
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Incoming::Unix(stream)),
        }
    }
}

/// A hub that was killed leaves its socket behind.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_stale = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && StdUnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_stale { fs::remove_file(path) } else { Ok(()) }
}

impl Drop for File {
    fn drop(&mut self) {
        // The next hub would replace it.
        drop(fs::remove_file(&self.0));
    }
}
