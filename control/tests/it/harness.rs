//! A state directory with a journal, and a hub before it that the tests play.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use control::{
    Access, Client, Command, ControlError, Hub, Refusal, Reloaded, ReplayProgress, Selection, Server, Span,
    Status,
};
use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::SignedDuration;
use journal::{Appender, DeadLetter, Journal, Mode, Offset, Opened, Options, Record};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is waited for; only a failing test takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A time that has no part of a second.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// The running hub, as the tests play it.
#[derive(Default)]
pub(crate) struct PlayedHub {
    /// The consumers that run.
    pub(crate) running: Mutex<Vec<String>>,
    /// What was to be fetched.
    pub(crate) redelivered: Mutex<Vec<(String, Offset)>>,
    /// The replay under way.
    pub(crate) replay: Mutex<Option<Sender<ReplayProgress>>>,
    /// The reload under way.
    pub(crate) reload: Mutex<Option<Sender<Result<Reloaded, Refusal>>>>,
    /// What it logs.
    pub(crate) level: Mutex<String>,
    /// What is wrong.
    pub(crate) trouble: Mutex<Option<String>>,
}

impl Hub for PlayedHub {
    fn is_running(&self, consumer: &str) -> bool {
        self.running.lock().unwrap().iter().any(|name| name == consumer)
    }

    fn redeliver(&self, consumer: &str, offset: Offset) -> bool {
        self.redelivered.lock().unwrap().push((consumer.to_owned(), offset));
        self.is_running(consumer)
    }

    fn replay(
        &self,
        consumer: &str,
        _: std::ops::Range<Offset>,
    ) -> Result<Receiver<ReplayProgress>, Refusal> {
        if !self.is_running(consumer) {
            return Err(Refusal::ConsumerDoesNotRun { consumer: consumer.to_owned() });
        }
        let (sender, receiver) = unbounded();
        *self.replay.lock().unwrap() = Some(sender);
        Ok(receiver)
    }

    fn status(&self) -> Result<Status, ControlError> {
        Err(Refusal::Stopping.into())
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn log_level(&self) -> String {
        self.level.lock().unwrap().clone()
    }

    fn set_log_level(&self, level: &str) -> Result<(), Refusal> {
        level.clone_into(&mut self.level.lock().unwrap());
        Ok(())
    }

    fn reload(&self) -> Receiver<Result<Reloaded, Refusal>> {
        let (sender, receiver) = unbounded();
        *self.reload.lock().unwrap() = Some(sender);
        receiver
    }

    fn clock_moved_since(&self, _: Offset) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap().clone()
    }
}

/// A state directory, and the journal in it.
pub(crate) struct State {
    pub(crate) folder: TempDir,
    pub(crate) journal: Arc<Journal>,
    pub(crate) appender: Appender,
    pub(crate) hub: Arc<PlayedHub>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self::with(&small())
    }

    pub(crate) fn with(options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Opened { journal, appender, .. } = Journal::open(folder.path(), options).unwrap();
        Self { folder, journal: Arc::new(journal), appender, hub: Arc::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Appends a message that came at [`at`] the second of its offset.
    pub(crate) fn append(&mut self, topic: &str, body: &str) {
        let received = at(self.appender.next().0);
        let record = Record { received, endpoint: "bus", flags: 0, note: b"", topic, body: body.as_bytes() };
        self.appender.append(&[record]).unwrap();
    }

    /// Appends so many, `{"n": OFFSET}` by `org.example.even` and `org.example.odd`.
    pub(crate) fn fill(&mut self, count: u64) {
        for _ in 0..count {
            let offset = self.appender.next().0;
            let topic = if offset.is_multiple_of(2) { "org.example.even" } else { "org.example.odd" };
            self.append(topic, &format!("{{\"n\": {offset}}}"));
        }
    }

    pub(crate) fn bury(&self, offset: u64, consumer: &str, requeued: bool) {
        let letter = DeadLetter {
            offset: Offset(offset),
            consumer: consumer.to_owned(),
            attempts: 5,
            first: at(100),
            last: at(200),
            error: format!("no luck with {offset}"),
            requeued,
            in_hand: false,
        };
        self.journal.bury(letter).unwrap();
    }

    pub(crate) fn serve(&self) -> Server {
        let hub: Arc<dyn Hub> = self.hub.clone();
        Server::start(self.path(), Arc::clone(&self.journal), hub).unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::find(self.path()).unwrap().expect("a hub")
    }

    /// Lets go of the journal, as a hub that has stopped.
    pub(crate) fn stop(self) -> TempDir {
        self.journal.close().unwrap();
        self.folder
    }
}

/// Small segments, so that the files are more than one.
pub(crate) fn small() -> Options {
    Options {
        mode: Mode::Durable { sync_interval: Duration::from_millis(2) },
        ring_bytes: 4096,
        segment_bytes: 4096,
        ..Options::default()
    }
}

/// What is answered, as JSON, without progress, which may or may not be told.
pub(crate) fn ask(access: &Access, command: &Command) -> Result<Vec<Value>, ControlError> {
    let mut replies = Vec::new();
    access.ask(command, &mut |reply| {
        replies.push(serde_json::to_value(&reply)?);
        Ok(())
    })?;
    replies.retain(|reply| reply.get("progress").is_none());
    Ok(replies)
}

/// As [`ask`], of whoever is there.
pub(crate) fn ask_at(directory: &Path, command: &Command) -> Result<Vec<Value>, ControlError> {
    ask(&Access::find(directory)?, command)
}

/// All messages.
pub(crate) fn all() -> Command {
    Command::Messages { span: Span::default(), last: None, topics: Vec::new(), follow: false }
}

pub(crate) fn these(consumer: Option<&str>, offsets: &[u64]) -> Selection {
    Selection { consumer: consumer.map(str::to_owned), offsets: offsets.to_vec() }
}

/// Waits until something has become true.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::yield_now();
    }
}
