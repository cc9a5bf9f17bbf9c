//! The providers that fedmsg itself has: `logger.py`, `announce.py` and `default.py` of Python's `fedmsg/meta`.

use std::collections::BTreeSet;

use crate::{Message, Provider};

/// What `fedmsg-logger` sends.
pub(crate) struct Logger;

impl Provider for Logger {
    fn service(&self) -> &'static str {
        "logger"
    }

    fn subtitle(&self, message: &Message<'_>) -> String {
        if !message.topic().contains("logger.log") {
            return "<unhandled log message>".to_owned();
        }
        if !message.has_msg() {
            return String::new();
        }
        let log = message.text("log");
        let username = message.username();
        format!(
            "{} ({})",
            log.as_deref().unwrap_or("<custom JSON message>"),
            username.as_deref().unwrap_or("none")
        )
    }

    fn usernames(&self, message: &Message<'_>) -> BTreeSet<String> {
        sender(message)
    }
}

/// What `fedmsg-announce` sends.
pub(crate) struct Announce;

impl Provider for Announce {
    fn service(&self) -> &'static str {
        "announce"
    }

    fn subtitle(&self, message: &Message<'_>) -> String {
        message.text("message").unwrap_or_default().into_owned()
    }

    fn link(&self, message: &Message<'_>) -> Option<String> {
        message.text("link").filter(|link| !link.is_empty()).map(std::borrow::Cow::into_owned)
    }

    fn usernames(&self, message: &Message<'_>) -> BTreeSet<String> {
        sender(message)
    }
}

/// What nobody else knows.
pub(crate) struct Unhandled;

impl Provider for Unhandled {
    fn service(&self) -> &'static str {
        "unhandled"
    }
}

fn sender(message: &Message<'_>) -> BTreeSet<String> {
    message.username().map(std::borrow::Cow::into_owned).into_iter().collect()
}
