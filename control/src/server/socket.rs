//! The socket's file: never open to others, not for a moment, and gone with its hub.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::net::{Shutdown, shutdown};

use crate::ControlError;

/// Its name in the state directory.
const NAME: &str = "control.sock";

/// The most bytes that the path of a Unix socket has on Linux, without the zero behind it.
const LONGEST: usize = 107;

/// The socket's path, if it can be one.
///
/// # Errors
/// [`ControlError::PathTooLong`].
pub(crate) fn path(state_directory: &Path) -> Result<PathBuf, ControlError> {
    let socket = state_directory.join(NAME);
    if socket.as_os_str().as_bytes().len() > LONGEST {
        return Err(ControlError::PathTooLong { socket, most: LONGEST });
    }
    Ok(socket)
}

/// A socket that listens; its file goes when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    listener: OwnedFd,
}

impl Socket {
    pub(super) fn open(state_directory: &Path) -> Result<(Self, UnixListener), ControlError> {
        let path = path(state_directory)?;
        let open = || {
            // A socket is made with what the umask leaves: so it is made where nobody else can come, and moved to its
            // place when only its owner may use it. That also replaces one that was left behind. The names are chosen
            // so that this path is no longer than the one that was looked at.
            let private = Permissions::from_mode(0o700);
            let mut hidden = tempfile::Builder::new();
            let hidden = hidden.prefix(".").rand_bytes(6).permissions(private).tempdir_in(state_directory)?;
            let made = hidden.path().join("sock");
            let listener = UnixListener::bind(&made)?;
            fs::set_permissions(&made, Permissions::from_mode(0o600))?;
            fs::rename(&made, &path)?;
            Ok((OwnedFd::from(listener.try_clone()?), listener))
        };
        let (handle, listener) = open().map_err(ControlError::io("make the control socket", &path))?;
        Ok((Self { path, listener: handle }, listener))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends listening, whoever waits for a client.
    pub(super) fn close(&self) {
        if let Err(error) = shutdown(&self.listener, Shutdown::Both) {
            tracing::warn!(%error, "cannot close the control socket");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next hub would replace it.
        drop(fs::remove_file(&self.path));
    }
}
