//! Names of the bus and the addresses behind them: `[endpoints]` of hub.toml.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Address;

/// The name of an endpoint, such as `relay_outbound`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointName(Arc<str>);

impl EndpointName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EndpointName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for EndpointName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for EndpointName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EndpointName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self(name.into()))
    }
}

/// One endpoint: a name and where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What its messages are known by.
    pub name: EndpointName,
    /// A subscriber connects to all of them, each once; a publisher binds the first free one.
    pub addresses: Vec<Address>,
}

impl Endpoint {
    /// An endpoint of that name.
    pub fn new(name: &str, addresses: impl IntoIterator<Item = Address>) -> Self {
        Self { name: name.into(), addresses: addresses.into_iter().collect() }
    }
}

/// Every endpoint by name.
///
/// In a file each is one address or a list of them; `[]` switches a name off that an earlier file gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Endpoints(BTreeMap<EndpointName, Addresses>);

/// The addresses of one endpoint, as read from a string or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Addresses(Vec<Address>);

impl Endpoints {
    /// The endpoint of that name, each address once; `None` when there is none or it is switched off.
    pub fn endpoint(&self, name: &str) -> Option<Endpoint> {
        let (name, addresses) = self.0.get_key_value(name)?;
        let mut seen = BTreeSet::new();
        let addresses: Vec<_> =
            addresses.iter().filter(|address| seen.insert(address.to_string())).cloned().collect();
        (!addresses.is_empty()).then(|| Endpoint { name: name.clone(), addresses })
    }

    /// Every endpoint that is not switched off, by name.
    pub fn enabled(&self) -> impl Iterator<Item = Endpoint> {
        self.0.keys().filter_map(|name| self.endpoint(name.as_str()))
    }
}

impl Deref for Endpoints {
    type Target = BTreeMap<EndpointName, Addresses>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Endpoints {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl FromIterator<Endpoint> for Endpoints {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self(endpoints.into_iter().map(|e| (e.name, Addresses(e.addresses))).collect())
    }
}

impl Deref for Addresses {
    type Target = Vec<Address>;

    fn deref(&self) -> &Vec<Address> {
        &self.0
    }
}

impl From<Vec<Address>> for Addresses {
    fn from(addresses: Vec<Address>) -> Self {
        Self(addresses)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Not an untagged enum: that would swallow [`crate::AddressError`]'s text.
struct OneOrMany;

impl<'de> serde::de::Visitor<'de> for OneOrMany {
    type Value = Addresses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as \"tcp://127.0.0.1:4001\" or a list of them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Addresses, E> {
        text.parse().map(|address| Addresses(vec![address])).map_err(E::custom)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut addresses = Vec::new();
        while let Some(address) = list.next_element()? {
            addresses.push(address);
        }
        Ok(Addresses(addresses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_list_and_an_empty_list_switches_it_off() {
        let text = r#"{"a":"tcp://hub:1","b":["tcp://hub:2","ipc:///x"],"c":[]}"#;
        let endpoints: Endpoints = serde_json::from_str(text).unwrap();
        let names: Vec<_> = endpoints.enabled().map(|endpoint| endpoint.name.to_string()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(endpoints.endpoint("b").map(|endpoint| endpoint.addresses.len()), Some(2));
        assert_eq!(endpoints.endpoint("c"), None);
        let again = serde_json::to_string(&endpoints).unwrap();
        assert_eq!(serde_json::from_str::<Endpoints>(&again).unwrap(), endpoints);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for text in [r#"{"a":"hub:1"}"#, r#"{"a":["hub:1"]}"#] {
            let error = serde_json::from_str::<Endpoints>(text).unwrap_err().to_string();
            assert!(error.contains("write `tcp://hub:1`"), "{error}");
        }
        let error = serde_json::from_str::<Endpoints>(r#"{"a":1}"#).unwrap_err().to_string();
        assert!(error.contains("or a list of them"), "{error}");
    }
}
