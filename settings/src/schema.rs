//! The keys that the hub and the commands own: their types, meanings, units and defaults.

use std::path::PathBuf;
use std::time::Duration;

use bus::{Address, Endpoint, Endpoints, Options};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use message::{Naming, TopicMatching};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::crypto::CryptoSettings;
use crate::journal::JournalSettings;
use crate::monitoring::{HttpSettings, MonitoringSettings};
use crate::origin::Origins;
use crate::{Problem, Problems};

/// Everything in `hub.toml` but the consumers' own tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The first words of every topic that is published here; says whose bus it is.
    pub topic_prefix: String,
    /// `dev`, `stg` or `prod`; stands behind the prefix in topics.
    pub environment: String,
    /// How a consumer's topics are compared with a message's: `glob` (Python's `fnmatch`) or `prefix`
    /// (moksha's rule, for those who migrate).
    pub topic_matching: TopicMatching,
    /// Where the bus is: the addresses of each service, under its name.
    pub endpoints: Endpoints,
    /// Domains whose publishers DNS knows. Each is an endpoint of that name at `srv://DOMAIN`, as in `fedmsg/config.py`.
    pub srv_endpoints: Vec<String>,
    /// The options of every ZeroMQ socket.
    pub zmq: Options,
    /// Where messages go that a plugin publishes.
    pub publish: PublishSettings,
    /// The daemon itself.
    pub hub: HubSettings,
    /// How what was received is kept.
    pub journal: JournalSettings,
    /// Whose word counts, and with what to sign.
    pub crypto: CryptoSettings,
    /// Health and metrics, by HTTP.
    pub http: HttpSettings,
    /// Health for what watches Python hubs.
    pub monitoring: MonitoringSettings,
    /// What is logged, and how.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let Naming { topic_prefix, environment } = Naming::default();
        Self {
            topic_prefix,
            environment,
            topic_matching: TopicMatching::default(),
            endpoints: Endpoints::default(),
            srv_endpoints: Vec::new(),
            zmq: Options::default(),
            publish: PublishSettings::default(),
            hub: HubSettings::default(),
            journal: JournalSettings::default(),
            crypto: CryptoSettings::default(),
            http: HttpSettings::default(),
            monitoring: MonitoringSettings::default(),
            log: LogSettings::default(),
        }
    }
}

impl Settings {
    /// How topics are spelled that are published here.
    #[must_use]
    pub fn naming(&self) -> Naming {
        Naming { topic_prefix: self.topic_prefix.clone(), environment: self.environment.clone() }
    }
}

/// `[publish]`: the socket for messages that plugins publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishSettings {
    /// Whether to connect to a relay or to bind an address of one's own.
    pub mode: PublishMode,
    /// The name under `[endpoints]` whose addresses are connected to, or of which the first free one is
    /// bound.
    pub endpoint: String,
    /// How long publishing waits for a relay that isn't there, before it tells the plugin so.
    #[serde(with = "duration")]
    pub wait: Duration,
}

impl Default for PublishSettings {
    fn default() -> Self {
        Self {
            mode: PublishMode::Connect,
            endpoint: "relay_inbound".to_owned(),
            wait: Duration::from_secs(2),
        }
    }
}

/// How to publish; Python's fedmsg calls it `active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// Connect to a relay (`active = true` in Python).
    Connect,
    /// Bind the first free address of the endpoint, for subscribers to connect to.
    Bind,
}

/// `[hub]`: the daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HubSettings {
    /// Folders searched for plugins (`*.so`); absent ones are skipped.
    pub plugin_dirs: Vec<PathBuf>,
    /// Where the hub keeps its journal and its control socket; one hub for each.
    pub state_dir: PathBuf,
    /// How long all consumers together may take to start.
    #[serde(with = "duration")]
    pub start_deadline: Duration,
    /// How long a stop may take: to hand out what was received and to stop every consumer.
    #[serde(with = "duration")]
    pub drain_deadline: Duration,
    /// A message with a larger body, in bytes, is dropped and counted, and none is published.
    pub max_body_bytes: usize,
    /// A consumer that has been at one call for so long, and for longer than its plugin says that it may be, is stuck: the
    /// hub is not ready any more, and the service manager is told no more that it lives. 0 is never.
    #[serde(with = "duration")]
    pub stuck_after: Duration,
    /// An endpoint from which nothing has come for so long is worth a warning. 0 is never.
    #[serde(with = "duration")]
    pub silent_after: Duration,
    /// Endpoints without which the hub is not ready. If none is named, it is not while all are down.
    pub required_endpoints: Vec<String>,
    /// Whether to reload when a file of the configuration or a plugin changes.
    pub watch: bool,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            plugin_dirs: vec!["/usr/local/lib/fedmsg/plugins".into(), "/usr/lib/fedmsg/plugins".into()],
            state_dir: "/var/lib/fedmsg-hub".into(),
            start_deadline: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(10),
            max_body_bytes: 16 * 1024 * 1024,
            stuck_after: Duration::from_secs(300),
            silent_after: Duration::ZERO,
            required_endpoints: Vec::new(),
            watch: true,
        }
    }
}

/// `[log]`: what is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,plugin=debug`.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
    /// Records with fields, to systemd's journal.
    Journald,
}

/// The shortest `zmq.heartbeat_ivl`: more connections than that are a burden to publishers.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The hub's own part of the tree, and the names of the top-level tables that are not the hub's.
pub(crate) fn check(
    tree: &Map<String, Value>,
    origins: &Origins,
) -> Result<(Settings, Vec<String>), Problems> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tree = Value::Object(tree.clone());
    let deserializer = serde_path_to_error::Deserializer::new(&tree, &mut track);
    let settings = serde_ignored::deserialize(deserializer, |path| unknown.push(segments(&path)));
    let mut settings: Settings = settings.map_err(|error| {
        let path: Vec<String> = track.path().iter().map(ToString::to_string).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Problem::new(origins.of(&path), path.join("."), error.to_string())
    })?;

    let known = serde_json::to_value(Settings::default()).unwrap_or_default();
    let mut tables = Vec::new();
    let mut problems = Vec::new();
    for path in unknown {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some((key, around)) = path.split_last() else { continue };
        if around.is_empty() && tree[key].is_object() {
            tables.push((*key).to_owned());
            continue;
        }
        let siblings = around.iter().fold(&known, |table, name| &table[name]).as_object();
        let siblings = siblings.into_iter().flat_map(Map::keys).map(String::as_str);
        problems.push(Problem::new(
            origins.of(&path),
            path.join("."),
            Problem::unknown("key", key, siblings),
        ));
    }
    problems.extend(add_services(&mut settings, origins));
    problems.extend(out_of_range(&settings, origins));
    if problems.is_empty() { Ok((settings, tables)) } else { Err(Problems(problems)) }
}

/// Makes each of `srv_endpoints` an endpoint, unless `[endpoints]` switches that name off.
fn add_services(settings: &mut Settings, origins: &Origins) -> Vec<Problem> {
    let mut problems = Vec::new();
    for domain in &settings.srv_endpoints {
        let address = match format!("srv://{domain}").parse::<Address>() {
            Ok(address) => address,
            Err(error) => {
                problems.push(Problem::new(
                    origins.of(&["srv_endpoints"]),
                    "srv_endpoints",
                    error.to_string(),
                ));
                continue;
            }
        };
        let endpoint = Endpoint::new(domain, [address]);
        match settings.endpoints.endpoint(domain) {
            Some(other) if other != endpoint => problems.push(Problem::new(
                origins.of(&["endpoints", domain]),
                format!("endpoints.{domain}"),
                "is one of srv_endpoints, too; remove one of the two",
            )),
            _ if settings.endpoints.contains_key(domain.as_str()) => {}
            _ => drop(settings.endpoints.insert(endpoint.name, endpoint.addresses.into())),
        }
    }
    problems
}

/// Values of the right type that cannot be.
fn out_of_range(settings: &Settings, origins: &Origins) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |path: &[&str], message: String| {
        problems.push(Problem::new(origins.of(path), path.join("."), message));
    };
    for (key, message) in settings.journal.out_of_range() {
        wrong(&["journal", key], message);
    }
    for (key, message) in settings.crypto.out_of_range() {
        wrong(&["crypto", key], message);
    }
    for (table, key, message) in settings.monitoring.out_of_range() {
        wrong(&[table, key], message);
    }
    for name in &settings.hub.required_endpoints {
        if settings.endpoints.endpoint(name).is_none() {
            let known = settings.endpoints.keys().map(bus::EndpointName::as_str);
            wrong(&["hub", "required_endpoints"], Problem::unknown("endpoint", name, known));
        }
    }
    if settings.zmq.io_threads == 0 {
        wrong(&["zmq", "io_threads"], "must be at least 1".to_owned());
    }
    let heartbeat = settings.zmq.heartbeat_ivl;
    if !heartbeat.is_zero() && heartbeat < SHORTEST_HEARTBEAT {
        wrong(
            &["zmq", "heartbeat_ivl"],
            format!(
                "must be at least {SHORTEST_HEARTBEAT:?}, or \"0s\" for none: each is a connection to every publisher"
            ),
        );
    }
    let publish = &settings.publish.endpoint;
    if *publish != PublishSettings::default().endpoint && settings.endpoints.endpoint(publish).is_none() {
        let known = settings.endpoints.keys().map(bus::EndpointName::as_str);
        wrong(&["publish", "endpoint"], Problem::unknown("endpoint", publish, known));
    }
    problems
}

fn segments(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path;
    let (parent, last) = match path {
        Path::Root => return Vec::new(),
        Path::Seq { parent, index } => (parent, Some(index.to_string())),
        Path::Map { parent, key } => (parent, Some(key.clone())),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            (parent, None)
        }
    };
    let mut all = segments(parent);
    all.extend(last);
    all
}
