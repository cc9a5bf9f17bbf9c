//! How a publisher spells the topics of its messages.

use std::sync::Arc;

use crate::Topic;

/// The first two parts of every topic that is published here.
///
/// The rules are those of `publish` in Python's `fedmsg/core.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Says whose bus it is; `org.fedoraproject` unless configured.
    pub topic_prefix: String,
    /// `dev`, `stg` or `prod`; `dev` unless configured.
    pub environment: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self { topic_prefix: "org.fedoraproject".to_owned(), environment: "dev".to_owned() }
    }
}

impl Naming {
    /// `prefix.environment.modname.topic`, or `modname.topic` alone where that begins with the prefix
    /// already.
    ///
    /// An empty `modname` is `fedmsg`, an empty `topic` is `unspecified`, as in Python.
    #[must_use]
    pub fn topic(&self, modname: &str, topic: &str) -> Topic {
        let modname = if modname.is_empty() { "fedmsg" } else { modname };
        let topic = if topic.is_empty() { "unspecified" } else { topic };
        let name = format!("{modname}.{topic}");
        let name = if name.starts_with(&self.topic_prefix) {
            name
        } else {
            format!("{}.{}.{name}", self.topic_prefix, self.environment)
        };
        Topic::never_empty(Arc::from(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_behind_prefix_and_environment() {
        assert_eq!(&*Naming::default().topic("logger", "log"), "org.fedoraproject.dev.logger.log");
    }

    #[test]
    fn a_name_that_has_the_prefix_stays_as_it_is() {
        assert_eq!(&*Naming::default().topic("org.fedoraproject", "prod.x"), "org.fedoraproject.prod.x");
        let bare = Naming { topic_prefix: String::new(), environment: "dev".to_owned() };
        assert_eq!(&*bare.topic("logger", "log"), "logger.log");
    }

    #[test]
    fn what_is_not_named_gets_pythons_defaults() {
        assert_eq!(&*Naming::default().topic("", ""), "org.fedoraproject.dev.fedmsg.unspecified");
    }
}
