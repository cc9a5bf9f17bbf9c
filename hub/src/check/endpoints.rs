//! `--connect`: what became of asking every endpoint.

use std::collections::BTreeMap;

use bus::{Address, Endpoint, service_places};
use settings::{Configuration, PublishMode};

use super::probe::{self, ProbeError};
use super::{Finding, Kind, Severity, addresses};
use crate::plan::Plan;

/// Of each address that answered as a publisher does, the version of ZMTP that it speaks; or that this hub will answer there.
pub(super) type Answers = BTreeMap<String, String>;

/// Connects to all that the hub connects to, for a moment. What this hub binds answers when it runs, which is `hub` if it
/// does.
pub(super) fn connect(
    configuration: &Configuration,
    plan: &Plan,
    hub: Option<u32>,
) -> (Answers, Vec<Finding>) {
    let is_own = addresses::is_own(configuration, plan);
    let endpoints: Vec<_> =
        plan.subscribed.iter().cloned().chain(published_to(configuration, plan)).collect();
    let (mut answers, mut findings) = (Answers::new(), Vec::new());
    // Each place to connect to, and the address that it stands for.
    let mut places: Vec<(&Endpoint, &Address, Address)> = Vec::new();
    let dns_server = configuration.settings().zmq.dns_server;
    for endpoint in &endpoints {
        for address in &endpoint.addresses {
            let found = match address {
                Address::Srv(name) => service_places(name, dns_server).map_err(ProbeError::NoService),
                place => Ok(vec![place.clone()]),
            };
            match found {
                Ok(found) => places.extend(found.into_iter().map(|place| (endpoint, address, place))),
                Err(error) => findings.push(finding(configuration, endpoint, address, &error)),
            }
        }
    }
    let addresses: Vec<Address> = places.iter().map(|(.., place)| place.clone()).collect();
    for ((endpoint, address, place), answer) in places.into_iter().zip(probe::all(&addresses)) {
        match answer {
            Ok(greeting) => {
                let (major, minor) = greeting.version;
                let answer = if *address == place {
                    format!("ZMTP {major}.{minor}")
                } else {
                    format!("{place} ZMTP {major}.{minor}")
                };
                let answers = answers.entry(address.to_string()).or_default();
                let separator = if answers.is_empty() { "" } else { ", " };
                answers.push_str(separator);
                answers.push_str(&answer);
            }
            Err(ProbeError::Unreachable(_)) if hub.is_none() && is_own(&place) => {
                answers.insert(address.to_string(), "this hub".to_owned());
            }
            Err(error) => findings.push(finding(configuration, endpoint, &place, &error)),
        }
    }
    (answers, findings)
}

/// Where plugins publish to, if that is elsewhere.
fn published_to(configuration: &Configuration, plan: &Plan) -> Option<Endpoint> {
    let settings = configuration.settings();
    let endpoint = settings.endpoints.endpoint(&settings.publish.endpoint)?;
    let is_here = plan.inbound.iter().chain(&plan.subscribed).any(|known| known.name == endpoint.name);
    let is_place = !endpoint.addresses.iter().any(Address::is_wildcard);
    (settings.publish.mode == PublishMode::Connect && !is_here && is_place).then_some(endpoint)
}

fn finding(
    configuration: &Configuration,
    endpoint: &Endpoint,
    address: &Address,
    error: &ProbeError,
) -> Finding {
    let name = endpoint.name.as_str();
    let (kind, mend) = match error {
        ProbeError::Unresolvable(_) | ProbeError::NoService(_) => {
            (Kind::Unresolvable, "look at how it is spelt, and at this machine's name server")
        }
        ProbeError::Unreachable(_) | ProbeError::Silent | ProbeError::TooLong => {
            (Kind::Unreachable, "look at the address, the other machine and the firewall")
        }
        ProbeError::NotZmtp => (Kind::NotABus, "name the port of the publisher"),
        ProbeError::Mechanism(_) => {
            (Kind::NotABus, "have the publisher take whoever connects, as fedmsg does")
        }
    };
    // The hub runs without the others, and tries for ever.
    let is_required = configuration.settings().hub.required_endpoints.iter().any(|required| required == name);
    let severity = if is_required || kind == Kind::NotABus { Severity::Error } else { Severity::Warning };
    let what = format!("endpoint {name}, {address}: {error}");
    let finding = Finding { severity, ..Finding::warning(kind, what, mend) };
    finding.at(configuration.origin(&["endpoints", name]))
}
