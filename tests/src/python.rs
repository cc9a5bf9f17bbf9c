//! The real Python fedmsg, in the virtual environment that `scripts/test` makes.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::{Process, Scratch, Signal, workspace};

fn environment() -> PathBuf {
    let folder = std::env::var_os("FEDMSG_TEST_PYTHON")
        .map_or_else(|| workspace().join("target/python"), PathBuf::from);
    assert!(
        folder.join("bin/fedmsg-hub").exists(),
        "{} has no Python fedmsg: run scripts/test, which installs it",
        folder.display()
    );
    folder
}

/// The Python that has fedmsg.
pub fn python() -> Command {
    let mut command = Command::new(environment().join("bin/python"));
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONWARNINGS", "ignore");
    command
}

/// A command of the Python fedmsg, such as `fedmsg-relay`, with `config` as its whole configuration.
pub fn python_fedmsg(scratch: &Scratch, command: &str, config: &Value) -> Command {
    // JSON is not Python, and the only words that differ are these.
    let text = format!("null, true, false = None, True, False\nconfig = {config}\n");
    let home = format!("{command}.home");
    scratch.write(&format!("{home}/.fedmsg.d/config.py"), &text);
    let mut python = python();
    python.arg(environment().join("bin").join(command));
    python.env("HOME", scratch.join(&home)).env("PYTHONPATH", workspace().join("tests/python"));
    python
}

/// A PUB socket of pyzmq that sends any frames at all.
pub struct Frames {
    process: Process,
    address: String,
}

impl Frames {
    /// Binds a free port.
    pub fn bind(scratch: &Scratch) -> Self {
        let mut command = python();
        command.arg(workspace().join("tests/python/send_frames.py"));
        let process = Process::start(scratch, "frames", &mut command);
        let address = process.stdout.wait_for("tcp://");
        Self { process, address }
    }

    /// Where it is bound.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until somebody has subscribed.
    pub fn wait_for_subscriber(&self) {
        self.process.stdout.wait_for("subscribed");
    }

    /// Sends its process a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends one message of these frames.
    pub fn send(&mut self, frames: &[&[u8]]) {
        let hex = |frame: &&[u8]| frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.process.write(&format!("{}\n", json!(frames.iter().map(hex).collect::<Vec<_>>())));
    }
}
