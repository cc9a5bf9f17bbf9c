//! `--include`, `--exclude`, `--users` and `--packages`: which messages are shown.

use std::collections::BTreeSet;

use fancy_regex::Regex;
use meta::Description;

/// Which messages are shown. The regular expressions are in Python's flavour, look-around included, and searched for
/// anywhere in a topic.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Only topics with this.
    pub(crate) include: Option<Regex>,
    /// No topic with this.
    pub(crate) exclude: Regex,
    /// Only what concerns one of them, if there are any.
    pub(crate) users: BTreeSet<String>,
    /// Likewise.
    pub(crate) packages: BTreeSet<String>,
}

impl Filter {
    /// Whether the topic is shown.
    ///
    /// # Errors
    /// An expression that would take for ever on this topic.
    pub(crate) fn shows(&self, topic: &str) -> Result<bool, fancy_regex::Error> {
        Ok(!self.exclude.is_match(topic)?
            && self.include.as_ref().map_or(Ok(true), |include| include.is_match(topic))?)
    }

    /// Whether it goes by whom and what messages concern.
    pub(crate) fn wants_description(&self) -> bool {
        !self.users.is_empty() || !self.packages.is_empty()
    }

    /// Whether a message that concerns these people and packages is shown.
    pub(crate) fn shows_what_concerns(&self, described: &Description) -> bool {
        let meets = |wanted: &BTreeSet<String>, there| wanted.is_empty() || !wanted.is_disjoint(there);
        meets(&self.users, &described.usernames) && meets(&self.packages, &described.packages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: Option<&str>, exclude: &str) -> Filter {
        let include = include.map(|include| Regex::new(include).unwrap());
        let exclude = Regex::new(exclude).unwrap();
        Filter { include, exclude, users: BTreeSet::new(), packages: BTreeSet::new() }
    }

    fn shows(include: Option<&str>, exclude: &str, topic: &str) -> bool {
        filter(include, exclude).shows(topic).unwrap()
    }

    #[test]
    fn expressions_are_searched_anywhere_in_the_topic() {
        assert!(shows(Some("git"), "_heartbeat", "org.git.push"));
        assert!(!shows(Some("^git"), "_heartbeat", "org.git.push"));
        assert!(!shows(None, "_heartbeat", "org.git_heartbeat.x"));
    }

    #[test]
    fn exclude_wins_over_include() {
        assert!(!shows(Some("git"), "push", "org.git.push"));
    }

    #[test]
    fn pythons_default_include_works() {
        let default = "^((?!_heartbeat).)*$";
        assert!(shows(Some(default), "xyzzy", "org.git.push"));
        assert!(!shows(Some(default), "xyzzy", "org.a_heartbeat"));
    }

    #[test]
    fn an_expression_that_takes_for_ever_is_an_error() {
        let topic = format!("{}!", "a".repeat(60));
        assert!(filter(None, r"^((?=a)a+)+$").shows(&topic).is_err());
    }

    #[test]
    fn a_message_is_shown_if_it_concerns_one_of_the_people_and_one_of_the_packages() {
        let set = |names: &[&str]| names.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>();
        let concerns = |users: &[&str], packages: &[&str]| Description {
            title: String::new(),
            subtitle: String::new(),
            link: None,
            icon: None,
            usernames: set(users),
            packages: set(packages),
            objects: BTreeSet::new(),
            category: String::new(),
        };
        let filter = Filter { users: set(&["ralph", "toshio"]), ..filter(None, "x") };
        assert!(filter.shows_what_concerns(&concerns(&["ralph"], &[])));
        assert!(!filter.shows_what_concerns(&concerns(&["lmacken"], &["ralph"])));
        assert!(!filter.shows_what_concerns(&concerns(&[], &[])));
        let filter = Filter { packages: set(&["kernel"]), ..filter };
        assert!(!filter.shows_what_concerns(&concerns(&["ralph"], &["bash"])));
        assert!(filter.shows_what_concerns(&concerns(&["toshio"], &["kernel", "bash"])));
    }
}
