//! The C programs of `bench/peer`, built with the libzmq that the hub is linked with.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Process, Scratch};
use serde_json::Value;

/// The programs.
pub(crate) struct Peers {
    publisher: PathBuf,
    subscriber: PathBuf,
}

impl Peers {
    /// Builds them into the folder.
    pub(crate) fn build(folder: &Path) -> Self {
        let libzmq = libzmq();
        let build = |name: &str| {
            let source = e2e::workspace().join(format!("bench/peer/{name}.c"));
            let program = folder.join(name);
            let mut cc = Command::new("cc");
            cc.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(source);
            cc.arg("-I").arg(libzmq.join("source/include")).arg("-L").arg(libzmq.join("lib"));
            cc.args(["-lzmq", "-lstdc++", "-lm", "-lpthread"]);
            assert!(cc.status().expect("a C compiler").success(), "{name}.c does not build");
            program
        };
        Self { publisher: build("publisher"), subscriber: build("subscriber") }
    }

    /// A publisher of the messages in `pool`, and its address.
    pub(crate) fn publisher(
        &self,
        scratch: &Scratch,
        pool: &Path,
        count: u64,
        rate: u64,
    ) -> (Process, String) {
        let mut command = Command::new(&self.publisher);
        command.arg(pool).args([count.to_string(), rate.to_string()]);
        let process = Process::start(scratch, "publisher", &mut command);
        let address = process.stdout.wait_for("tcp://");
        (process, address)
    }

    /// A subscriber to the address.
    pub(crate) fn subscriber(&self, scratch: &Scratch, address: &str, count: u64, timed: bool) -> Process {
        let mut command = Command::new(&self.subscriber);
        command.arg(address).args([count.to_string(), u8::from(timed).to_string()]);
        Process::start(scratch, "subscriber", &mut command)
    }
}

/// Where the build of crate zmq-sys in this workspace put libzmq, as cargo tells.
fn libzmq() -> PathBuf {
    let folder = e2e::binary("").canonicalize().expect("the folder with the binaries");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--quiet", "--message-format=json"]).current_dir(e2e::workspace());
    cargo.env("CARGO_TARGET_DIR", folder.parent().expect("target/"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    messages
        .filter_map(Result::ok)
        .filter(|message| message["reason"] == "build-script-executed")
        .find(|message| message["package_id"].as_str().is_some_and(|id| id.contains("#zmq-sys@")))
        .and_then(|message| Some(PathBuf::from(message["out_dir"].as_str()?)))
        .expect("cargo has built zmq-sys")
}
