//! The standard input of a command: a file in memory, whole before the command starts. So it does not matter whether, when
//! and how far the command reads, and nobody has to write while it runs.

use std::fs::File;
use std::io::{self, Seek, Write};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::Message;

/// Each message as a line. In JSON a line end can only stand where a space can; so a message that its sender has spread
/// over several lines is one here, and means the same.
pub(crate) fn of(messages: &[Message]) -> io::Result<File> {
    let mut file = File::from(memfd_create("messages", MemfdFlags::CLOEXEC)?);
    for message in messages {
        let mut line = message.body.clone();
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        file.write_all(&line)?;
    }
    file.rewind()?;
    Ok(file)
}
