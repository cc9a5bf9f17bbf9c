//! The addresses of this hub: whether it will have those that it binds, and those that it cannot be meant to subscribe to.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use bus::Address;
use plugin_api::Outbound;
use rustix::fs::{Access, access};
use settings::{Configuration, PublishMode};

use super::listeners::{self, Listener, Place};
use super::{Finding, Kind};
use crate::consumer::options::OnStartError;
use crate::plan::Plan;

/// What this hub binds.
struct Wanted {
    /// The key that says so.
    key: Vec<String>,
    /// How it is called: by that key, or by the consumer that binds it.
    name: String,
    /// One of these is to be had: as it is written, and where that is, if that can be told.
    addresses: Vec<(String, Option<Place>)>,
    /// The hub does not start without.
    is_needed: bool,
}

impl Wanted {
    /// Whether it may be bound at that place.
    fn covers(&self, place: &Place) -> bool {
        self.addresses.iter().any(|(_, own)| own.as_ref().is_some_and(|own| own.excludes(place)))
    }
}

/// Whether something that this hub binds will answer at that address.
pub(super) fn is_own(configuration: &Configuration, plan: &Plan) -> impl Fn(&Address) -> bool {
    let wanted = wanted(configuration, plan);
    move |address| {
        let (written, place) = (address.to_string(), Place::of_address(address));
        wanted.iter().any(|one| {
            let is_written = one.addresses.iter().any(|(own, _)| *own == written);
            // Another machine's address is covered by `*`, too.
            is_written || place.as_ref().is_some_and(|place| one.covers(place) && is_here(place))
        })
    }
}

/// What is wrong with addresses, told without binding or connecting to any. What the hub that runs already, `hub`, has
/// bound is its own.
pub(super) fn findings(configuration: &Configuration, plan: &Plan, hub: Option<u32>) -> Vec<Finding> {
    let mut findings = shared(configuration, plan);
    findings.extend(wildcards(configuration, plan));
    if plan.subscribed.is_empty() && plan.inbound.is_empty() {
        let mend = "add one to [endpoints]";
        findings.push(Finding::warning(
            Kind::NoEndpoint,
            "no endpoint is configured: no message can come",
            mend,
        ));
    }
    let (wanted, listeners) = (wanted(configuration, plan), listeners::all());
    for (at, one) in wanted.iter().enumerate() {
        let fault = |(address, place): &(String, Option<Place>)| {
            let place = place.as_ref()?;
            let twice = wanted[..at].iter().find(|other| other.covers(place));
            let (why, mend) = twice
                .map(|other| (format!("{} wants it, too", other.name), "give one of them another address"))
                .or_else(|| taken(place, &listeners, hub))
                .or_else(|| not_to_be_had(place))?;
            Some((format!("{}: {address} cannot be bound: {why}", one.name), mend))
        };
        // It takes one that is free.
        let faults: Option<Vec<_>> = one.addresses.iter().map(fault).collect();
        let key: Vec<_> = one.key.iter().map(String::as_str).collect();
        findings.extend(faults.into_iter().flatten().map(|(what, mend)| {
            let finding = if one.is_needed { Finding::error } else { Finding::warning };
            finding(Kind::CannotBind, &what, &mend).at(configuration.origin(&key))
        }));
    }
    findings
}

fn shared(configuration: &Configuration, plan: &Plan) -> Vec<Finding> {
    let shared = plan.subscribed_twice().into_iter().map(|(address, names)| {
        let first = names.split(' ').next().unwrap_or_default();
        let what = format_args!("endpoints {names} share {address}: each of its messages is received twice");
        Finding::warning(Kind::EndpointShared, what, "remove it from all of them but one")
            .at(configuration.origin(&["endpoints", first]))
    });
    shared.collect()
}

/// `*` where plugins publish to: a relay binds it, others have to name the host.
fn wildcards(configuration: &Configuration, plan: &Plan) -> Option<Finding> {
    let settings = configuration.settings();
    let name = settings.publish.endpoint.as_str();
    let endpoint = settings.endpoints.endpoint(name)?;
    let is_bound = plan.inbound.iter().any(|bound| bound.name == endpoint.name);
    let wildcard = endpoint.addresses.iter().find(|address| address.is_wildcard())?;
    (settings.publish.mode == PublishMode::Connect && !is_bound).then(|| {
        let what = format_args!(
            "endpoints.{name}: {wildcard} cannot be connected to, and no consumer of this hub binds it: what plugins \
             publish gets nowhere"
        );
        Finding::warning(Kind::EndpointWildcard, what, "name the host of the relay, or switch the relay on here")
            .at(configuration.origin(&["endpoints", name]))
    })
}

fn wanted(configuration: &Configuration, plan: &Plan) -> Vec<Wanted> {
    let settings = configuration.settings();
    let of_key = |key: &[&str], address: String, place: Option<Place>| Wanted {
        key: key.iter().map(|word| (*word).to_owned()).collect(),
        name: key.join("."),
        addresses: vec![(address, place)],
        is_needed: true,
    };
    let mut wanted = Vec::new();
    for endpoint in &plan.inbound {
        for address in &endpoint.addresses {
            let key = ["endpoints", endpoint.name.as_str()];
            wanted.push(of_key(&key, address.to_string(), Place::of_address(address)));
        }
    }
    let listen = &settings.http.listen;
    wanted.push(of_key(&["http", "listen"], listen.to_string(), Place::of_listen(listen)));
    // A loaded configuration has none that is no address.
    if let Ok(Some(address)) = settings.monitoring.address() {
        wanted.push(of_key(&["monitoring", "socket"], address.to_string(), Place::of_address(&address)));
    }
    let mut published = BTreeSet::new();
    for consumer in &plan.consumers {
        let is_needed = consumer.options.on_start_error == OnStartError::Fail;
        // Consumers of one endpoint share its publisher.
        for name in consumer.publishers().filter(|name| published.insert((*name).to_owned())) {
            let place = |address: &Address| (address.to_string(), Place::of_address(address));
            let endpoint = settings.endpoints.endpoint(name);
            let addresses = endpoint.iter().flat_map(|endpoint| &endpoint.addresses).map(place).collect();
            let key = ["endpoints", name].map(str::to_owned);
            wanted.push(Wanted { name: key.join("."), key: key.into(), addresses, is_needed });
        }
        for outbound in &consumer.outbound {
            let Outbound::Address(address) = outbound else { continue };
            let place = address.parse().ok().and_then(|address| Place::of_address(&address));
            let name = format!("consumer {}", consumer.installed.name);
            let key = consumer.installed.key.to_string().split('.').map(str::to_owned).collect();
            wanted.push(Wanted { key, name, addresses: vec![(address.clone(), place)], is_needed });
        }
    }
    wanted
}

/// Who has it, if that is not the hub itself.
fn taken(place: &Place, listeners: &[Listener], hub: Option<u32>) -> Option<(String, &'static str)> {
    let listener = listeners.iter().find(|listener| listener.place.excludes(place))?;
    let who = match (listener.holder(), hub) {
        (Some(holder), Some(hub)) if holder.pid == hub => return None,
        // That of another user is not seen by all.
        (None, Some(_)) => return None,
        (Some(holder), _) => format!("process {} ({}) has it", holder.pid, holder.name),
        (None, None) => "a process of another user has it".to_owned(),
    };
    Some((who, "stop what holds it, or choose another address"))
}

/// Whether it is an address of this machine.
fn is_here(place: &Place) -> bool {
    let Place::Tcp(address) = place else { return true };
    // No packet is sent or received by that, and another port is as good.
    let bound = UdpSocket::bind((address.ip(), 0));
    bound.err().is_none_or(|error| error.kind() != ErrorKind::AddrNotAvailable)
}

fn not_to_be_had(place: &Place) -> Option<(String, &'static str)> {
    match place {
        Place::Tcp(_) if is_here(place) => None,
        Place::Tcp(_) => {
            Some(("this machine has no such address".to_owned(), "name one that it has, or `*`"))
        }
        Place::Unix(path) if path.as_os_str().as_encoded_bytes().starts_with(b"@") => None,
        Place::Unix(path) => match path.symlink_metadata() {
            Ok(file) if !file.file_type().is_socket() => {
                Some((format!("{} is no socket", path.display()), "remove it, or choose another path"))
            }
            _ => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                let error = access(folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
                let why = format!("{}: {}", folder.display(), std::io::Error::from(error));
                Some((why, "create the folder, and let the user who runs the hub write to it"))
            }
        },
    }
}
