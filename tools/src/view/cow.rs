//! What the program cowsay makes of a text. It gets the text on its standard input: unlike Python's, no shell and no
//! command line sees what others have sent.

use std::io::{self, ErrorKind, Write};
use std::process::{Command, ExitStatus, Stdio};

/// Where Debian has it, which is not on every user's PATH.
const DEBIANS: &str = "/usr/games/cowsay";

/// The cow is silent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CowError {
    #[error("cannot start cowsay, which --cowsay needs: {0}; install it")]
    Start(io::Error),
    #[error("cannot talk to cowsay: {0}")]
    Talk(io::Error),
    #[error("cowsay failed ({0})")]
    Failed(ExitStatus),
}

/// The cow that says `text`, without the last line's end.
pub(super) fn say(text: &str) -> Result<String, CowError> {
    let start = |program| {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut cow = match start("cowsay") {
        Err(error) if error.kind() == ErrorKind::NotFound => start(DEBIANS),
        started => started,
    }
    .map_err(CowError::Start)?;
    if let Some(mut stdin) = cow.stdin.take() {
        match stdin.write_all(text.as_bytes()) {
            // How it ended says more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.map_err(CowError::Talk)?,
        }
    }
    let said = cow.wait_with_output().map_err(CowError::Talk)?;
    match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).trim_end().to_owned()),
        false => Err(CowError::Failed(said.status)),
    }
}
