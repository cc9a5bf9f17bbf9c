//! Ends a command whose starter is gone: a hub that did not wait for it any longer, was killed, or crashed. A command that
//! went on would run beside the one that the same message brings about at the next start.

use std::io::{self, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// A line says that the command has ended. The end of its input says that nobody is there any more to say so: then it ends
/// the group that it is in, as at the end of a command's time.
const SCRIPT: &str = "trap '' HUP INT TERM; read -r _ || { kill -TERM 0; sleep 5; kill -KILL 0; }";

/// A process that leads the group of a command, and outlives this one if need be.
///
/// It is waited for when the command has been: until then, the number of the group is that of no other.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Child,
    line: PipeWriter,
}

impl Keeper {
    /// Starts one.
    pub(crate) fn start() -> io::Result<Self> {
        let (input, line) = io::pipe()?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT]).process_group(0).current_dir("/");
        let process = shell.stdin(input).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { process, line })
    }

    /// The group that it leads.
    pub(crate) fn group(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Ends it, and nothing else.
    pub(crate) fn dismiss(mut self) -> io::Result<()> {
        // It is gone already where the whole group was killed.
        drop(self.line.write_all(b"\n"));
        self.process.wait().map(drop)
    }
}
