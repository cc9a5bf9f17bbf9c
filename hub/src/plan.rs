//! What would run: the configuration and the installed plugins, checked against each other. Starts nothing and
//! connects to nothing, so that `fedmsg-hub check` and the hub itself go by the same rules.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Endpoint, EndpointName, Prefixes};
use message::{Pattern, PatternSet};
use plugin_api::Outbound;
use serde_json::Map;
use settings::{ConfigKey, Configuration, Origin, Problem, Problems, Switch};

use crate::catalogue::{Catalogue, Installed};
use crate::consumer::options::ConsumerOptions;

/// Where publishers connect to a relay. Nobody subscribes to it: what is there has not been published yet.
const RELAY_INBOUND: &str = "relay_inbound";

/// A consumer that is to run.
#[derive(Debug, Clone)]
pub struct PlannedConsumer {
    /// The plugin's side.
    pub installed: Installed,
    /// The operator's side.
    pub options: ConsumerOptions,
    /// The plugin's own configuration, as JSON.
    pub config: String,
    /// It gets the messages whose topics match one of these.
    pub topics: Vec<Pattern>,
    /// Whether it gets only messages whose signatures verify.
    pub trust: Trust,
    /// It alone gets what publishers send to these endpoints, which the hub binds for it.
    pub inbound: Vec<EndpointName>,
    /// What it binds to publish by.
    pub outbound: Vec<Outbound>,
    /// How long it may be at one message, if the plugin says so.
    pub patience: Option<Duration>,
}

impl PlannedConsumer {
    /// The endpoints that the hub opens publishers of for it.
    pub fn publishers(&self) -> impl Iterator<Item = &str> {
        self.outbound.iter().filter_map(|outbound| match outbound {
            Outbound::Endpoint(name) | Outbound::Signed(name) => Some(&**name),
            Outbound::Address(_) => None,
        })
    }
}

/// Which messages a consumer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Whatever anybody has sent.
    Anybody,
    /// Those whose signatures verify.
    Signed,
}

/// Everything that is to run.
#[derive(Debug)]
pub struct Plan {
    /// The consumers, by name.
    pub consumers: Vec<PlannedConsumer>,
    /// The endpoints that are bound for consumers.
    pub inbound: Vec<Endpoint>,
    /// The endpoints that are subscribed to.
    pub subscribed: Vec<Endpoint>,
}

impl Plan {
    /// Plans what `configuration` switches on, or exactly the consumers in `only`.
    ///
    /// # Errors
    /// All that does not fit: unknown names and keys, consumers' tables that their plugins refuse, endpoints that
    /// are missing.
    pub fn new(
        configuration: &Configuration,
        catalogue: &Catalogue,
        only: Option<&[String]>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let keys = catalogue.keys();
        if let Err(unclaimed) = configuration.unclaimed(&keys) {
            problems.extend(unclaimed.0);
        }
        for name in only.unwrap_or_default() {
            if !catalogue.consumers.contains_key(name.as_str()) {
                let known = catalogue.consumers.keys().map(|name| &**name);
                problems.push(Problem {
                    origin: Origin::Default,
                    key: String::new(),
                    message: format!(
                        "--with-consumers {name}: {}",
                        Problem::unknown("consumer", name, known)
                    ),
                });
            }
        }
        let mut consumers = Vec::new();
        for installed in catalogue.consumers.values() {
            match planned(configuration, installed, &keys, only) {
                Ok(consumer) => consumers.extend(consumer),
                Err(wrong) => problems.extend(wrong.0),
            }
        }
        let settings = configuration.settings();
        let (mut inbound, mut outbound): (Vec<Endpoint>, Vec<Endpoint>) = Default::default();
        for consumer in &consumers {
            let mut bind = |bound: &mut Vec<Endpoint>, name: &str, does: &str| match settings
                .endpoints
                .endpoint(name)
            {
                Some(endpoint) if bound.contains(&endpoint) => {}
                Some(endpoint) => bound.push(endpoint),
                None => problems.push(configuration.problem(
                    &["endpoints", name],
                    format!(
                        "missing, but consumer `{}` {does} by it; add `{name} = \"tcp://…\"` to [endpoints]",
                        consumer.installed.name
                    ),
                )),
            };
            for name in &consumer.inbound {
                bind(&mut inbound, name.as_str(), "receives");
            }
            for name in consumer.publishers() {
                bind(&mut outbound, name, "publishes");
            }
        }
        for endpoint in inbound.iter().chain(&outbound) {
            for address in endpoint.addresses.iter().filter(|address| address.is_service()) {
                problems.push(configuration.problem(
                    &["endpoints", endpoint.name.as_str()],
                    format!("cannot bind {address}: srv:// is only for subscribing; write `tcp://HOST:PORT`"),
                ));
            }
        }
        let subscribed: Vec<Endpoint> = settings
            .endpoints
            .enabled()
            .filter(|endpoint| endpoint.name.as_str() != RELAY_INBOUND && !inbound.contains(endpoint))
            .collect();
        for endpoint in &subscribed {
            for address in endpoint.addresses.iter().filter(|address| address.is_wildcard()) {
                problems.push(configuration.problem(
                    &["endpoints", endpoint.name.as_str()],
                    format!("cannot connect to {address}: `*` is for binding; name the host and the port"),
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self { consumers, inbound, subscribed })
        } else {
            Err(Problems(problems))
        }
    }

    /// The topics that anybody wants, compiled, and whether with a signature.
    #[must_use]
    pub fn patterns(&self) -> PatternSet<Trust> {
        let topics = |consumer: &PlannedConsumer| {
            let trust = consumer.trust;
            consumer.topics.clone().into_iter().map(move |topic| (topic, trust))
        };
        self.consumers.iter().flat_map(topics).collect()
    }

    /// Whether any consumer wants only what is signed.
    #[must_use]
    pub fn validates(&self) -> bool {
        self.consumers.iter().any(|consumer| consumer.trust == Trust::Signed)
    }

    /// Addresses that stand under more than one name, with the names.
    #[must_use]
    pub fn subscribed_twice(&self) -> Vec<(String, String)> {
        let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for endpoint in &self.subscribed {
            for address in &endpoint.addresses {
                names.entry(address.to_string()).or_default().push(endpoint.name.as_str());
            }
        }
        let twice = names.into_iter().filter(|(_, names)| names.len() > 1);
        twice.map(|(address, names)| (address, names.join(" "))).collect()
    }

    /// What to subscribe to, so that topics nobody wants don't cross the network.
    #[must_use]
    pub fn prefixes(&self) -> Prefixes {
        self.patterns().literal_prefixes().into_iter().collect()
    }
}

fn planned(
    configuration: &Configuration,
    installed: &Installed,
    keys: &[ConfigKey],
    only: Option<&[String]>,
) -> Result<Option<PlannedConsumer>, Problems> {
    let others = keys.iter().filter(|key| **key != installed.key);
    let mut table = match (configuration.switch(&installed.key, others)?, only) {
        (_, Some(names)) if !names.iter().any(|name| **name == *installed.name) => return Ok(None),
        (Switch::On(table), _) | (Switch::Off(Some(table)), Some(_)) => table,
        (Switch::Off(None), Some(_)) => Map::new(),
        (Switch::Off(_), None) => return Ok(None),
    };
    let options = ConsumerOptions::take(&mut table)
        .map_err(|error| configuration.consumer_problem(&installed.key, error.key, error.message))?;
    let config = serde_json::Value::Object(table).to_string();
    let wants = installed.declared.describe(&config).map_err(|error| {
        let said = error.problems.into_iter();
        Problems(
            said.map(|said| configuration.consumer_problem(&installed.key, &said.key_path, said.message))
                .collect(),
        )
    })?;
    let matching = configuration.settings().topic_matching;
    let topics = options.topics.clone().unwrap_or(wants.topics);
    // A relay repeats what anybody sends, as Python's does.
    let validates = configuration.settings().crypto.validate_signatures && wants.inbound.is_empty();
    let trust = if options.validate_signatures.unwrap_or(validates) { Trust::Signed } else { Trust::Anybody };
    Ok(Some(PlannedConsumer {
        trust,
        installed: installed.clone(),
        topics: topics.iter().map(|topic| matching.pattern(topic.as_str())).collect(),
        options,
        config,
        patience: wants.patience,
        inbound: wants.inbound.iter().map(|name| name.as_str().into()).collect(),
        outbound: wants.outbound,
    }))
}
