//! How a hub is doing at one moment: the JSON of `/status` and of the command `status`, and the source of the metrics,
//! the tables and the line that a service manager shows. The hub fills it in; what is wrong, too, so that everybody
//! who looks comes to the same judgement.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Consumer, JournalStats};

/// How a hub is doing. Counts are since it started; none of them is reset by being read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When this was so.
    pub at: Timestamp,
    /// The hub as such.
    pub hub: HubStatus,
    /// What is wrong, the worst first; empty if all is well.
    pub problems: Vec<Problem>,
    /// What was received.
    pub intake: IntakeStatus,
    /// Where it comes from, by name.
    pub endpoints: Vec<EndpointStatus>,
    /// Who gets it: the consumers that are switched on, by name.
    pub consumers: Vec<ConsumerStatus>,
    /// Where it is kept.
    pub journal: JournalStats,
    /// The process.
    pub process: ProcessStatus,
}

impl Status {
    /// Whether the hub does all that it is there for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }
}

/// The hub as such.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HubStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// What it is about.
    pub state: HubState,
    /// When it was started.
    pub started: Timestamp,
    /// How long that is ago, by a clock that nobody sets.
    pub uptime_seconds: f64,
    /// How often this machine's clock has jumped since.
    pub clock_jumps: u64,
    /// Changes of its configuration while it ran.
    pub reloads: Reloads,
}

/// What a hub is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubState {
    /// It receives and hands out.
    Running,
    /// It hands out what it has received, and ends.
    Stopping,
}

/// Changes of the configuration while the hub ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// Which configuration since the hub's start is in force; the first is 1.
    pub generation: u64,
    /// As many it has followed.
    pub succeeded: u64,
    /// As many it has refused; then it went on as before.
    pub failed: u64,
    /// When the last one was.
    pub last: Option<Timestamp>,
    /// Why the last one was refused; absent if it was not.
    pub last_error: Option<String>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind it is, for programs.
    pub kind: ProblemKind,
    /// The consumer or endpoint it is about; absent if that is the hub itself.
    pub about: Option<String>,
    /// What is wrong, and what mends it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The hub does not do what it is there for.
    Unready,
    /// Worth a look.
    Warning,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The hub is stopping.
    Stopping,
    /// Nothing is received: the intake does not go on.
    IntakeStuck,
    /// The journal cannot be written, or is full.
    Journal,
    /// The disk is nearly full.
    DiskLow,
    /// No consumer is left, or none was switched on.
    NoConsumer,
    /// A consumer validates, and no signature is accepted: what trust rests on is not there, or out of its time.
    NothingTrusted,
    /// A consumer has ended.
    ConsumerEnded,
    /// A consumer did not start, and the hub runs without it, or tries again.
    ConsumerNotStarted,
    /// A consumer does not come back from a message, or from its end.
    ConsumerStuck,
    /// None of an endpoint's addresses is connected.
    EndpointDown,
    /// Nothing has come from an endpoint for long.
    EndpointSilent,
    /// The last change of the configuration was refused.
    ReloadFailed,
    /// This machine's clock has jumped lately.
    ClockJumped,
}

impl ProblemKind {
    /// The word for it in JSON and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::IntakeStuck => "intake_stuck",
            Self::Journal => "journal",
            Self::DiskLow => "disk_low",
            Self::NoConsumer => "no_consumer",
            Self::NothingTrusted => "nothing_trusted",
            Self::ConsumerEnded => "consumer_ended",
            Self::ConsumerNotStarted => "consumer_not_started",
            Self::ConsumerStuck => "consumer_stuck",
            Self::EndpointDown => "endpoint_down",
            Self::EndpointSilent => "endpoint_silent",
            Self::ReloadFailed => "reload_failed",
            Self::ClockJumped => "clock_jumped",
        }
    }
}

/// What was received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntakeStatus {
    /// Messages, good and bad.
    pub messages: u64,
    /// Their bytes, topics and bodies.
    pub bytes: u64,
    /// Those that reached no consumer, by reason; every reason is there.
    pub rejected: BTreeMap<String, u64>,
    /// Those whose signatures are missing or don't verify, by rule, where a consumer validates.
    pub untrusted: BTreeMap<String, u64>,
    /// Why nothing is taken in at the moment.
    pub trouble: Option<String>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// At least one of its addresses is connected, and whoever is there answers; or it is bound.
    pub connected: bool,
    /// Messages received, malformed ones included.
    pub messages: u64,
    /// Their bytes, topics and bodies.
    pub bytes: u64,
    /// When the last message came.
    pub last_message: Option<Timestamp>,
    /// For how long nothing has come: since the last message, or since it was opened or connected if that is later.
    pub silent_seconds: f64,
    /// Messages that reached no consumer, by reason; only reasons that occurred.
    pub rejected: BTreeMap<String, u64>,
    /// Messages that are not trusted, by rule; only rules that occurred.
    pub untrusted: BTreeMap<String, u64>,
    /// Each of its addresses.
    pub addresses: Vec<AddressStatus>,
}

/// An address of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// As configured, once bound with the real port; or as found by looking a service up.
    pub address: String,
    /// Connected or not.
    pub state: AddressState,
    /// Since when it is connected, unresponsive, or down.
    pub since: Option<Timestamp>,
    /// For how long that is so, by a clock that nobody sets.
    pub state_seconds: Option<f64>,
    /// Why it is down.
    pub reason: Option<String>,
    /// Failed attempts since it went down.
    pub attempts: u32,
    /// Connections made; of a bound address, accepted.
    pub connects: u64,
    /// Connections lost.
    pub disconnects: u64,
}

/// The state of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// The name of the host or of the service is being looked up for the first time.
    Resolving,
    /// A service that was looked up; where it is, are addresses of their own.
    Found,
    /// The first attempt is under way.
    Connecting,
    /// The peer speaks ZeroMQ.
    Connected,
    /// Connected, but whoever is there takes no further connection and has sent nothing: its process is frozen, or full.
    Unresponsive,
    /// Not connected; it is retried for ever.
    Down,
    /// Open to peers.
    Bound,
}

/// A consumer that is switched on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsumerStatus {
    /// Where it is in the journal.
    #[serde(flatten)]
    pub place: Consumer,
    /// What it is about.
    pub state: ConsumerState,
    /// For how long it has been about that.
    pub state_seconds: f64,
    /// The topics that it gets.
    pub topics: Vec<String>,
    /// The file of its plugin.
    pub plugin: String,
    /// Messages that were for it, each once.
    pub received: u64,
    /// Messages that it finished, replayed and requeued ones included.
    pub handled: u64,
    /// Calls that did not finish their message, panics included.
    pub failures: u64,
    /// Attempts after a message's first.
    pub retries: u64,
    /// Messages that the operator had delivered again.
    pub replayed: u64,
    /// Messages that are set aside now, to be delivered later.
    pub aside: u64,
    /// Messages that it did not finish, by reason; every reason is there.
    pub dropped: BTreeMap<String, u64>,
    /// What the plugin itself counts, by its names for it.
    pub counted: BTreeMap<String, u64>,
    /// For how long the plugin has been at what it has in hand; absent if it has nothing.
    pub in_hand_seconds: Option<f64>,
    /// How long a message takes it; in a batch each counts with the batch's mean.
    pub handling: Histogram,
}

/// What a consumer is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerState {
    /// Its plugin is being started.
    #[default]
    Starting,
    /// Its plugin did not start, and is tried again.
    Retrying,
    /// It gets messages.
    Running,
    /// It did not start, and the hub runs without it, as `on_start_error = "ignore"` says.
    Ignored,
    /// It was told to end, for a reload, and gets no more messages until it has and is started again.
    Leaving,
    /// It gets no more messages: it asked for that, or was stopped.
    Ended,
}

impl ConsumerState {
    /// The word for it in JSON and tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Retrying => "retrying",
            Self::Running => "running",
            Self::Ignored => "ignored",
            Self::Leaving => "leaving",
            Self::Ended => "ended",
        }
    }
}

/// Times, counted by their size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// All together, in seconds.
    pub sum_seconds: f64,
    /// How many there are.
    pub count: u64,
    /// For each upper bound, in seconds, how many there are up to it and above the one before. What is above the last
    /// one is in `count` alone.
    pub buckets: Vec<(f64, u64)>,
}

/// The process, as the system sees it; what the system does not tell is 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Memory that is in use, in bytes.
    pub resident_bytes: u64,
    /// Open files, sockets included.
    pub open_files: u64,
    /// As many may be open.
    pub max_files: u64,
    /// Threads.
    pub threads: u64,
    /// The time that processors have worked for it.
    pub cpu_seconds: f64,
}
