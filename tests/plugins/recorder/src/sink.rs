//! Where the lines go.

use std::fs::{File, metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::iter;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use plugin_api::serde_json;
use serde::Serialize;

pub(crate) struct Sink {
    to: Box<dyn Write + Send>,
    text: Vec<u8>,
}

impl Sink {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let is_socket = metadata(path).is_ok_and(|it| it.file_type().is_socket());
        let to: Box<dyn Write + Send> =
            if is_socket { Box::new(UnixStream::connect(path)?) } else { Box::new(append(path)?) };
        Ok(Self { to, text: Vec::new() })
    }

    /// Writes a line at once.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.lines(iter::once(value))
    }

    /// Writes lines with one system call: they are there, whatever becomes of this process, and none of another
    /// writer is among them.
    pub(crate) fn lines(&mut self, values: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
        self.text.clear();
        for value in values {
            serde_json::to_writer(&mut self.text, &value)?;
            self.text.push(b'\n');
        }
        self.to.write_all(&self.text)
    }
}

/// A file to append to. If its last line is none, because who wrote it was killed half way, it is one now.
fn append(path: &Path) -> io::Result<File> {
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(file)
}
