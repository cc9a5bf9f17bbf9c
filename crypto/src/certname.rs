//! Which of a host's certificates signs.

use std::collections::BTreeMap;

use thiserror::Error;

/// Python's `certnames`: for `service.host` the name of the key pair in `ssldir`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertNames(BTreeMap<String, String>);

/// `certnames` doesn't say what to sign with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "certnames has no {key:?}: add it, with the name of a key pair in ssldir (NAME for NAME.crt and NAME.key)"
)]
pub struct UnknownCertName {
    /// What was looked for.
    pub key: String,
}

impl CertNames {
    /// These names.
    #[must_use]
    pub fn new(names: BTreeMap<String, String>) -> Self {
        Self(names)
    }

    /// What the service `prefix` (Python's `cert_prefix`, such as `shell`) signs with on this host, as
    /// `fedmsg/core.py` looks it up.
    ///
    /// # Errors
    /// It isn't listed.
    pub fn of_service(&self, prefix: &str) -> Result<&str, UnknownCertName> {
        self.of(&Self::key(prefix, &hostname()))
    }

    /// The key of a service on a host: only the first word of the host's name counts.
    #[must_use]
    pub fn key(service: &str, host: &str) -> String {
        format!("{service}.{}", host.split('.').next().unwrap_or_default())
    }

    /// The name under a key as it stands: the signing relay's is `signing_relay`.
    ///
    /// # Errors
    /// It isn't listed.
    pub fn of(&self, key: &str) -> Result<&str, UnknownCertName> {
        self.0.get(key).map(String::as_str).ok_or_else(|| UnknownCertName { key: key.to_owned() })
    }
}

/// This host's name, in one word or in full, as the system has it.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_service_and_host() {
        let names =
            [(CertNames::key("shell", &hostname()), "shell-here"), ("signing_relay".to_owned(), "relay")];
        let names = CertNames::new(names.map(|(key, name)| (key, name.to_owned())).into());
        assert_eq!(names.of_service("shell").unwrap(), "shell-here");
        assert_eq!(names.of("signing_relay").unwrap(), "relay");
        let error = names.of_service("bodhi").unwrap_err();
        assert_eq!(error.key, CertNames::key("bodhi", &hostname()));
    }

    #[test]
    fn of_the_hosts_name_the_first_word_counts() {
        assert_eq!(CertNames::key("shell", "host01.example.org"), "shell.host01");
        assert_eq!(CertNames::key("shell", "host01"), "shell.host01");
        assert!(!hostname().is_empty());
    }
}
