//! A started program.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, kill_process};

use crate::{DEADLINE, Lines, Scratch, Signal};

/// A running program with its output at hand. Killed when dropped.
pub struct Process {
    child: Child,
    /// Its standard input, until [`Process::close_stdin`].
    pub stdin: Option<ChildStdin>,
    /// What it writes to standard output.
    pub stdout: Lines,
    /// What it writes to standard error.
    pub stderr: Lines,
}

impl Process {
    /// Starts it in the scratch folder; its output is copied to `<name>.out` and `<name>.err` there.
    pub fn start(scratch: &Scratch, name: &str, command: &mut Command) -> Self {
        let mut child = command
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Lines::read(child.stdout.take().expect("piped"), &scratch.join(&format!("{name}.out")));
        let stderr = Lines::read(child.stderr.take().expect("piped"), &scratch.join(&format!("{name}.err")));
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Starts it, gives it `input`, and waits for its end.
    pub fn run(scratch: &Scratch, name: &str, command: &mut Command, input: &str) -> Finished {
        let mut process = Self::start(scratch, name, command);
        process.write(input);
        process.close_stdin();
        let status = process.wait();
        Finished {
            status,
            stdout: process.stdout.wait_for_end().join("\n"),
            stderr: process.stderr.wait_for_end().join("\n"),
        }
    }

    /// Writes to its standard input.
    pub fn write(&mut self, input: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        // A program may end without having read all; what it did is looked at, not this.
        drop(stdin.write_all(input.as_bytes()).and_then(|()| stdin.flush()));
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child that was not waited for");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait(&mut self.child);
        status.unwrap_or_else(|| panic!("did not end in time; its log: {:#?}", self.stderr.all()))
    }
}

/// Waits for a child's end; `None` if it had to be killed for that.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    // `Child::wait` knows no deadline: past it, the process is killed, and the wait comes back.
    let (over, ended) = mpsc::channel::<()>();
    let id = Pid::from_child(child);
    let watch = std::thread::spawn(move || {
        let late = ended.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            kill_process(id, Signal::KILL).expect("a child that was not waited for");
        }
        late
    });
    let status = child.wait().expect("a child can be waited for");
    drop(over);
    let late = watch.join().expect("no panic in the watch");
    (!late).then_some(status)
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that has ended.
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// All it wrote to standard output, without the last line end.
    pub stdout: String,
    /// All it wrote to standard error, without the last line end.
    pub stderr: String,
}
