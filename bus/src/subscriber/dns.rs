//! What only DNS knows: the places of a service, by its SRV records. Each question is asked anew, so that the answer is as
//! old as the name server's and `/etc/resolv.conf` is as it is now.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::{Address, AddressError, Host};

/// What a service's records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Where it is: each place once, at least one, in the order of their texts.
    pub(super) places: Vec<Address>,
    /// Records that name no place that one could connect to.
    pub(super) unusable: Vec<AddressError>,
    /// How long that holds.
    pub(super) ttl: Duration,
}

/// Why nothing is known of a service, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoService {
    /// DNS says that it is nowhere.
    Nowhere(String),
    /// DNS does not say.
    Unknown(String),
}

/// Asks for the records SRV of `_fedmsg._tcp.name`. Waits for the answer as long as the system's `resolv.conf` says, for
/// seconds if it says nothing.
pub(super) fn service(name: &str, server: Option<SocketAddr>) -> Result<Service, NoService> {
    let name = format!("_fedmsg._tcp.{name}");
    let answer = ask(server, async |resolver| resolver.lookup(name.as_str(), RecordType::SRV).await);
    let answer = answer.map_err(|error| match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            NoService::Nowhere(format!("DNS has no name {name}"))
        }
        NetError::Dns(DnsError::NoRecordsFound(_)) => {
            NoService::Nowhere(format!("{name} has no SRV record in DNS"))
        }
        error => NoService::Unknown(error.to_string()),
    })?;
    let records: Vec<_> = (answer.answers().iter())
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some((srv, record.ttl)),
            _ => None,
        })
        .collect();
    let ttl = Duration::from_secs(records.iter().map(|(_, ttl)| *ttl).min().unwrap_or_default().into());
    let (mut places, mut unusable) = (Vec::new(), Vec::new());
    // RFC 2782: the root as target means that the service is decidedly not available.
    for (srv, _) in records.iter().filter(|(srv, _)| !srv.target.is_root()) {
        match place(srv) {
            Ok(place) => places.push(place),
            Err(error) => unusable.push(error),
        }
    }
    places.sort_unstable();
    places.dedup();
    match (places.is_empty(), unusable.first()) {
        (false, _) => Ok(Service { places, unusable, ttl }),
        (true, Some(error)) => Err(NoService::Nowhere(format!("{name} leads nowhere: {error}"))),
        (true, None) => Err(NoService::Nowhere(format!("DNS says that {name} is not available"))),
    }
}

/// Asks for the addresses of a host that a service's records name.
pub(super) fn host(name: &str, port: u16, server: Option<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    // It is a whole name, to which nothing is to be appended.
    let name = format!("{name}.");
    let found = ask(server, async |resolver| resolver.lookup_ip(name.as_str()).await);
    let found = found.map_err(|error| match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => format!("DNS has no address of {name}"),
        error => error.to_string(),
    })?;
    Ok(found.iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The places of a service, each by the number of its host: for who wants to know once, and not to subscribe. Waits as long
/// as DNS takes; `server` is [`Options::dns_server`](crate::Options::dns_server).
///
/// # Errors
/// In words: DNS does not know the service, or one of its hosts.
pub fn service_places(name: &str, server: Option<SocketAddr>) -> Result<Vec<Address>, String> {
    let service = service(name, server).map_err(|none| match none {
        NoService::Nowhere(why) | NoService::Unknown(why) => why,
    })?;
    let by_number = |place: Address| match place {
        Address::Tcp { host: Host::Name(name), port } => {
            let found = host(&name, port.unwrap_or_default(), server)?;
            let at = found.iter().min_by_key(|at| at.is_ipv6());
            at.map(|at| Address::from(*at)).ok_or_else(|| format!("DNS has no address of {name}"))
        }
        other => Ok(other),
    };
    service.places.into_iter().map(by_number).collect()
}

fn place(srv: &SRV) -> Result<Address, AddressError> {
    let target = srv.target.to_lowercase().to_ascii();
    format!("tcp://{}:{}", target.trim_end_matches('.'), srv.port).parse()
}

fn ask<T>(
    server: Option<SocketAddr>,
    question: impl AsyncFnOnce(TokioResolver) -> Result<T, NetError>,
) -> Result<T, NetError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { question(resolver(server)?).await })
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            let server = NameServerConfig::new(server.ip(), true, connections);
            TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(vec![server]),
                TokioRuntimeProvider::default(),
            )
        }
    };
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.options_mut().cache_size = 0;
    builder.build()
}
