//! A bus in a scratch folder, and the commands run against it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use bus::{
    Context, Endpoint, Frames, Incoming, Options, Prefixes, Publish, Publisher, Subscribe, Subscriber,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take that is waited for; only a failing test takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ANNOUNCE: &str = env!("CARGO_BIN_EXE_fedmsg-announce");
pub(crate) const COLLECTD: &str = env!("CARGO_BIN_EXE_fedmsg-collectd");
pub(crate) const CONFIG: &str = env!("CARGO_BIN_EXE_fedmsg-config");
pub(crate) const LOGGER: &str = env!("CARGO_BIN_EXE_fedmsg-logger");
pub(crate) const REPLAY: &str = env!("CARGO_BIN_EXE_fedmsg-dg-replay");
pub(crate) const TAIL: &str = env!("CARGO_BIN_EXE_fedmsg-tail");
pub(crate) const TRIGGER: &str = env!("CARGO_BIN_EXE_fedmsg-trigger");

/// A relay's two endpoints, as addresses that nobody has to be at.
pub(crate) struct Bus {
    folder: TempDir,
    context: Context,
}

impl Bus {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let context = Context::new(&Options::default()).unwrap();
        let bus = Self { folder, context };
        let [inbound, outbound] = ["relay_inbound", "relay_outbound"].map(|name| bus.address(name));
        bus.configure(&format!("relay_inbound = \"{inbound}\"\nrelay_outbound = \"{outbound}\"\n"));
        bus
    }

    /// Replaces `[endpoints]`.
    pub(crate) fn configure(&self, endpoints: &str) {
        std::fs::write(self.path().join("hub.toml"), format!("[endpoints]\n{endpoints}")).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn address(&self, name: &str) -> String {
        format!("ipc://{}/{name}", self.path().display())
    }

    fn endpoint(&self, name: &str) -> Endpoint {
        Endpoint::new(name, [self.address(name).parse().unwrap()])
    }

    /// What a relay receives.
    pub(crate) fn relay(&self) -> Relay {
        let mut subscriber = self.context.subscriber().unwrap();
        subscriber.bind(&self.endpoint("relay_inbound"), &Prefixes::everything()).unwrap();
        Relay::new(subscriber)
    }

    /// What a relay sends with.
    pub(crate) fn outbound(&self) -> Publisher {
        self.context.bind_publisher(&self.endpoint("relay_outbound")).unwrap().0
    }

    /// A command that knows this bus and nothing of the machine's.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        // Who started the tests may have had Ctrl-C ignored, as a shell does in the background.
        let mut command = Command::new("/usr/bin/env");
        command
            .args(["--default-signal=INT", program])
            .args(arguments)
            .env_clear()
            .env("FEDMSG_CONFIG", self.path().join("hub.toml"));
        command.current_dir(self.path()).env("LOGNAME", "tester").env("TZ", "UTC");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Finished {
        let mut child = self.command(program, arguments).spawn().unwrap();
        feed(child.stdin.take().unwrap(), input.to_owned());
        Finished::wait(child)
    }

    /// Starts `fedmsg-tail` and waits until it says that it is ready.
    pub(crate) fn start_tail(&self, arguments: &[&str]) -> Child {
        self.start(TAIL, arguments)
    }

    /// Starts a command that listens, and waits until it says that it is ready.
    pub(crate) fn start(&self, program: &str, arguments: &[&str]) -> Child {
        let path = self.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = self.command(program, arguments).env("NOTIFY_SOCKET", &path).spawn().unwrap();
        let mut said = [0; 64];
        let len = loop {
            match socket.recv(&mut said) {
                // A wait with a limit is not taken up again when the process was stopped and goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                len => break len.expect("it should say that it is ready"),
            }
        };
        assert_eq!(&said[..len], b"READY=1\n");
        std::fs::remove_file(path).unwrap();
        child
    }
}

/// The receiving side of a relay, always at it: a peer learns what it subscribes to only while it receives.
pub(crate) struct Relay {
    received: Receiver<Incoming>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn new(mut subscriber: Subscriber) -> Self {
        let (sender, received) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (waker, stopped) = (subscriber.waker(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::new();
            while !stopped.load(Relaxed) {
                subscriber.receive(&mut batch, 256, PATIENCE).unwrap();
                // The test may have seen enough.
                drop(batch.drain(..).try_for_each(|incoming| sender.send(incoming)));
            }
        });
        Self { received, stop, waker, thread: Some(thread) }
    }

    /// The next message: topic and body.
    pub(crate) fn receive(&self) -> (String, String) {
        match self.received.recv_timeout(PATIENCE).expect("a message should come").frames {
            Frames::Message { topic, body } => {
                (String::from_utf8(topic.to_vec()).unwrap(), String::from_utf8(body.to_vec()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.waker.wake_by_ref();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Gives a command its input, and waits for nothing: one that refuses its arguments does not read.
pub(crate) fn feed(mut stdin: ChildStdin, input: Vec<u8>) {
    std::thread::spawn(move || drop(stdin.write_all(&input)));
}

/// What a command writes, line by line.
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            // The test may have seen enough.
            drop(lines.try_for_each(|line| sender.send(line)));
        });
        Self(lines)
    }

    /// The next one, without its end.
    pub(crate) fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("a line should come")
    }
}

/// Publishes when somebody has subscribed.
pub(crate) fn publish(publisher: &mut Publisher, topic: &str, body: &str) {
    assert!(publisher.wait_for_subscriber(topic.as_bytes(), PATIENCE), "nobody subscribed");
    publisher.publish(topic.as_bytes(), body.as_bytes()).unwrap();
}

/// As Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: std::process::ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn wait(child: Child) -> Self {
        let id = Pid::from_child(&child);
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(PATIENCE) else {
            kill_process(id, Signal::KILL).unwrap();
            panic!("the command did not end in time");
        };
        let Output { status, stdout, stderr } = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status, stdout: text(stdout), stderr: text(stderr) }
    }

    /// What it printed, if it ended well and had nothing to complain about.
    #[track_caller]
    pub(crate) fn quietly(self) -> String {
        assert!(self.status.success() && self.stderr.is_empty(), "{self:?}");
        self.stdout
    }

    /// What it complained about, if it ended with this exit code.
    #[track_caller]
    pub(crate) fn failed_with(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self.stderr
    }
}
