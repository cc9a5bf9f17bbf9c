//! A running hub.

use std::fmt::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::{DEADLINE, Lines, Process, Recorder, Scratch, Signal, TestPublisher, binary, library};

/// The program that the hub is.
const HUB: &str = "fedmsg-hub";

/// What a hub is to be started with, once or several times.
#[derive(Clone)]
pub struct HubBuilder<'s> {
    scratch: &'s Scratch,
    name: &'static str,
    program: &'static str,
    config: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// A hub that has said READY.
pub struct Hub {
    /// The process.
    pub process: Process,
}

impl Hub {
    /// A hub in this scratch folder, with its own configuration and its own plugin folder.
    pub fn builder(scratch: &Scratch) -> HubBuilder<'_> {
        let (config, arguments, environment) = Default::default();
        HubBuilder { scratch, name: "hub", program: HUB, config, arguments, environment }
    }

    /// Its log.
    pub fn log(&self) -> &Lines {
        &self.process.stderr
    }

    /// Stops it by SIGTERM and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// The peak of its memory so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a live process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl HubBuilder<'_> {
    /// Another name for it, where a test runs several.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Starts it as another of its names, such as `fedmsg-relay`.
    pub fn program(mut self, name: &'static str) -> Self {
        self.program = name;
        self
    }

    /// Adds TOML to its configuration.
    pub fn config(mut self, toml: &str) -> Self {
        writeln!(self.config, "{toml}").expect("a string takes all");
        self
    }

    /// Subscribes it to the publisher, under the endpoint name `e`.
    pub fn subscribed_to(self, publisher: &TestPublisher) -> Self {
        self.config(&format!("endpoints.e = \"{}\"", publisher.address()))
    }

    /// Gives it the plugin `recorder`, which tells this one of every message.
    pub fn recorder(self, recorder: &Recorder) -> Self {
        self.plugin("recorder")
            .config(&format!("recorder = {{ enabled = true, path = \"{}\" }}", recorder.path()))
    }

    /// Puts a plugin of the workspace into its plugin folder.
    pub fn plugin(self, name: &str) -> Self {
        self.library(&library(name), &format!("{name}.so"))
    }

    /// Puts any file into its plugin folder.
    pub fn library(self, file: &Path, name: &str) -> Self {
        let folder = self.plugin_folder();
        std::fs::create_dir_all(&folder).expect("a folder");
        let link = folder.join(name);
        // It is there from another hub of this name.
        if !link.exists() {
            std::os::unix::fs::symlink(file, link).expect("a link");
        }
        self
    }

    /// Adds arguments to its command line.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Adds a variable to its environment.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Where it keeps its journal: the same for each hub of this name in the scratch folder.
    pub fn state_dir(&self) -> std::path::PathBuf {
        self.scratch.join(&format!("{}.state", self.name))
    }

    fn plugin_folder(&self) -> std::path::PathBuf {
        self.scratch.join(&format!("{}.plugins", self.name))
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let config = self.scratch.write(&format!("{}.toml", self.name), &self.config);
        let program = match self.program {
            HUB => binary(HUB),
            name => self.scratch.join(name),
        };
        if !program.exists() {
            std::os::unix::fs::symlink(binary(HUB), &program).expect("a link");
        }
        let mut command = Command::new(program);
        command.args(&self.arguments).arg("--plugin-dir").arg(self.plugin_folder());
        command.arg("--set").arg(format!("hub.state_dir={}", self.state_dir().display()));
        command.env("FEDMSG_CONFIG", config).env_remove("NOTIFY_SOCKET").env("NO_COLOR", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Hubs of many tests run at once; `--set` says otherwise.
        command.env("FEDMSG_HUB__HTTP__LISTEN", "");
        command
    }

    /// Starts it and returns when it says READY, as a service manager would wait for it.
    pub fn start(self) -> Hub {
        let path = self.scratch.join(&format!("{}.notify", self.name));
        // It is there from an earlier start.
        drop(std::fs::remove_file(&path));
        let notify = UnixDatagram::bind(&path).expect("a socket");
        notify.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        let mut command = self.command();
        command.env("NOTIFY_SOCKET", &path);
        let mut hub = Hub { process: Process::start(self.scratch, self.name, &mut command) };
        let mut state = [0; 4096];
        loop {
            let Ok(read) = notify.recv(&mut state) else {
                panic!("the hub is not ready in time; its log: {:#?}", hub.log().all());
            };
            let state = String::from_utf8_lossy(&state[..read]);
            if state.lines().any(|line| line == "READY=1") {
                return hub;
            }
            if state.lines().any(|line| line == "STOPPING=1") {
                let status = hub.process.wait();
                panic!("the hub stopped with {status}; its log: {:#?}", hub.log().all());
            }
        }
    }

    /// Runs one that is not expected to go on, and waits for its end.
    pub fn run(self) -> crate::process::Finished {
        Process::run(self.scratch, self.name, &mut self.command(), "")
    }
}
