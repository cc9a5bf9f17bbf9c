//! The addresses of this hub: whether it will have those that it binds, and those that it cannot be meant to subscribe to.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Access, access};
use settings::{Configuration, PublishMode};

use super::listeners::{self, Listener, Place};
use super::{Finding, Kind};
use crate::plan::Plan;

/// What this hub binds: the key that says so, the address as it is written, and where that is.
struct Wanted {
    key: Vec<String>,
    address: String,
    place: Place,
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
        let key: Vec<_> = one.key.iter().map(String::as_str).collect();
        let twice = wanted[..at].iter().find(|other| other.place.excludes(&one.place));
        let fault = twice
            .map(|other| {
                (format!("{} wants it, too", other.key.join(".")), "give one of them another address")
            })
            .or_else(|| taken(&one.place, &listeners, hub))
            .or_else(|| not_to_be_had(&one.place));
        findings.extend(fault.map(|(why, mend)| {
            let what = format_args!("{}: {} cannot be bound: {why}", key.join("."), one.address);
            Finding::error(Kind::CannotBind, what, mend).at(configuration.origin(&key))
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
    let mut wanted = Vec::new();
    let mut want = |key: &[&str], address: String, place: Option<Place>| {
        let key = key.iter().map(|word| (*word).to_owned()).collect();
        wanted.extend(place.map(|place| Wanted { key, address, place }));
    };
    for endpoint in &plan.inbound {
        for address in &endpoint.addresses {
            let key = ["endpoints", endpoint.name.as_str()];
            want(&key, address.to_string(), Place::of_address(address));
        }
    }
    let listen = &settings.http.listen;
    want(&["http", "listen"], listen.to_string(), Place::of_listen(listen));
    // A loaded configuration has none that is no address.
    if let Ok(Some(address)) = settings.monitoring.address() {
        want(&["monitoring", "socket"], address.to_string(), Place::of_address(&address));
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

fn not_to_be_had(place: &Place) -> Option<(String, &'static str)> {
    match place {
        // No packet is sent or received by that, and another port is as good.
        Place::Tcp(address) => match UdpSocket::bind((address.ip(), 0)) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                Some(("this machine has no such address".to_owned(), "name one that it has, or `*`"))
            }
            _ => None,
        },
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
