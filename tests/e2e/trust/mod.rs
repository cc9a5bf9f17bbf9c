//! Whose word a message is, from the publisher's key to the consumer's verdict.
//!
//! - `flow`: Python signs, our relay repeats, our hub tells the good from the bad
//! - `signing`: what is signed here is believed by Python; keys that cannot be used
//! - `late`: messages that nobody had checked when they came
//! - `files`: authority and revocation list change while the hub runs
//! - `tail`: the command

mod files;
mod flow;
mod late;
mod signing;
mod tail;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crypto::Signer;
use e2e::{Process, Scratch, TestPublisher, binary, python, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Authorities, key pairs and revocation lists of every kind, made by Python once for all tests.
fn pki() -> &'static Path {
    static PKI: OnceLock<TempDir> = OnceLock::new();
    let made = PKI.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = workspace().join("crypto/tests/python/pki.py");
        assert!(python().arg(script).arg(folder.path()).status().unwrap().success());
        folder
    });
    made.path()
}

/// The keys of `[crypto]` that say whom to trust.
fn trust() -> String {
    let pki = pki().display();
    format!(
        "[crypto]\nca_cert_location = \"{pki}/ca.crt\"\ncrl_location = \"{pki}/crl\"\nssldir = \"{pki}\"\n"
    )
}

fn signer(certname: &str) -> Signer {
    Signer::load(pki(), certname).unwrap()
}

/// Publishes `{"n": N}` with a signature.
fn publish_signed(publisher: &mut TestPublisher, signer: &Signer, topic: &str, n: u64) {
    let body = publisher.compose(topic, &json!({"n": n}).to_string());
    publisher.send(topic, &signer.sign(&body).unwrap());
}

/// Runs one of the operator's commands on a hub's state; what it printed.
fn operate(scratch: &Scratch, arguments: &[&str], state_dir: &Path) -> String {
    let mut command = Command::new(binary("fedmsg-hub"));
    command.args(arguments).arg("--set").arg(format!("hub.state_dir={}", state_dir.display()));
    let done = Process::run(scratch, "operate", command.env("FEDMSG_CONFIG", "/dev/null"), "");
    assert!(done.status.success(), "{}", done.stderr);
    done.stdout
}

/// What a hub has noted of messages that it distrusts.
fn rejected(scratch: &Scratch, state_dir: &Path) -> Vec<Value> {
    let outcomes = operate(scratch, &["journal", "export", "--outcomes"], state_dir);
    let outcomes = outcomes.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    outcomes.filter(|outcome| outcome["ending"] == "rejected").collect()
}

/// The real Python fedmsg as a publisher.
struct Python {
    process: Process,
    sent: usize,
}

impl Python {
    fn connect(scratch: &Scratch, relay: &str) -> Self {
        let mut command = python();
        command.arg(workspace().join("tests/python/publish.py")).arg(relay).arg(pki());
        command.env("HOME", scratch.path());
        Self { process: Process::start(scratch, "publish", &mut command), sent: 0 }
    }

    /// Publishes what `tests/python/publish.py` is told by this; its `msg_id`.
    fn publish(&mut self, order: &Value) -> String {
        self.process.write(&format!("{order}\n"));
        self.sent += 1;
        self.process.stdout.wait_for_count(self.sent)[self.sent - 1].clone()
    }
}
