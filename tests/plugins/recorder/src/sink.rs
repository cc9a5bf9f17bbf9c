//! Where the lines go.

use std::fs::{File, metadata};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use plugin_api::serde_json::Value;

pub(crate) struct Sink(Box<dyn Write + Send>);

impl Sink {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let is_socket = metadata(path).is_ok_and(|it| it.file_type().is_socket());
        Ok(Self(if is_socket {
            Box::new(UnixStream::connect(path)?)
        } else {
            Box::new(File::options().append(true).create(true).open(path)?)
        }))
    }

    /// Writes a line at once.
    pub(crate) fn line(&mut self, value: &Value) -> io::Result<()> {
        self.0.write_all(format!("{value}\n").as_bytes())
    }
}
