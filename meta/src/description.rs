//! What is said of a message.

use std::collections::BTreeSet;
use std::fmt;

/// What people want to know of a message. Displayed, it is the line of Python's `msg2repr`:
/// `title -- subtitle link`, with the space though there be no link.
///
/// Unlike Python's, the line is there even if the message lacks something that its provider counts on; Python's is
/// empty then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The primary text, such as `bodhi.update.comment`.
    pub title: String,
    /// The secondary text, a sentence; may be empty.
    pub subtitle: String,
    /// A URL of what it is about.
    pub link: Option<String>,
    /// A URL of the service's picture.
    pub icon: Option<String>,
    /// The people it concerns.
    pub usernames: BTreeSet<String>,
    /// The packages it concerns.
    pub packages: BTreeSet<String>,
    /// The things that something was done to, as paths: `pages/Flock_2013`.
    pub objects: BTreeSet<String>,
    /// The service that sent it.
    pub category: String,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -- {} {}", self.title, self.subtitle, self.link.as_deref().unwrap_or_default())
    }
}
