//! Which provider describes a message.

use crate::builtin::{Announce, Logger, Unhandled};
use crate::{Description, Message, Provider};

/// All providers.
///
/// Those of fedmsg itself are here. Providers that are read from files or come with plugins belong in front of them;
/// there are none yet.
pub struct Registry {
    topic_prefix: String,
    providers: Vec<Box<dyn Provider>>,
}

impl Registry {
    /// The providers, for messages whose topics begin with this prefix, such as `org.fedoraproject`. Those of other
    /// topics are described by the topic alone.
    #[must_use]
    pub fn new(topic_prefix: &str) -> Self {
        Self { topic_prefix: topic_prefix.to_owned(), providers: vec![Box::new(Logger), Box::new(Announce)] }
    }

    /// What is to be said of a message.
    #[must_use]
    pub fn describe(&self, message: &Message<'_>) -> Description {
        let provider = self.provider(message.topic());
        Description {
            title: provider.title(message),
            subtitle: provider.subtitle(message),
            link: provider.link(message),
            icon: provider.icon(message),
            usernames: provider.usernames(message),
            packages: provider.packages(message),
            objects: provider.objects(message),
            category: message.category().to_owned(),
        }
    }

    /// The service whose provider describes the messages of a topic; `unhandled` where nobody knows them. Python's
    /// `fedmsg-collectd` counts by it.
    #[must_use]
    pub fn service_of(&self, topic: &str) -> &str {
        self.provider(topic).service()
    }

    /// All that [`Registry::service_of`] may say.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| provider.service()).chain([Unhandled.service()])
    }

    fn provider(&self, topic: &str) -> &dyn Provider {
        let service = self.service(topic);
        let known = self.providers.iter().find(|provider| Some(provider.service()) == service);
        known.map_or(&Unhandled, |provider| &**provider)
    }

    /// The word behind prefix and environment. The environment is a word of letters, as in the `topic_prefix_re` that
    /// Python's `fedmsg/config.py` makes of the prefix.
    fn service<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let rest = topic.strip_prefix(&self.topic_prefix)?.strip_prefix('.')?;
        let (environment, rest) = rest.split_once('.')?;
        let is_word = !environment.is_empty() && environment.chars().all(char::is_alphabetic);
        is_word.then(|| rest.split('.').next())?
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let services: Vec<_> = self.providers.iter().map(|provider| provider.service()).collect();
        f.debug_struct("Registry")
            .field("topic_prefix", &self.topic_prefix)
            .field("services", &services)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_goes_by_the_word_behind_prefix_and_environment() {
        let registry = Registry::new("org.fedoraproject");
        for (topic, service) in [
            ("org.fedoraproject.dev.logger.log", "logger"),
            ("org.fedoraproject.prod.announce", "announce"),
            ("org.fedoraproject.prod.announcement.x", "unhandled"),
            ("org.fedoraproject.1.logger.log", "unhandled"),
            ("org.fedoraproject..logger.log", "unhandled"),
            ("org.debian.dev.logger.log", "unhandled"),
            ("org.fedoraproject.dev", "unhandled"),
            ("org.fedoraprojects.dev.logger.log", "unhandled"),
            ("", "unhandled"),
        ] {
            assert_eq!(registry.provider(topic).service(), service, "{topic}");
        }
        assert_eq!(Registry::new("one").provider("one.dev.logger.log").service(), "logger");
    }
}
