//! `--include` and `--exclude`: which topics are shown.

use fancy_regex::Regex;

/// Two regular expressions in Python's flavour, look-around included; they are searched for anywhere in a topic.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Only topics with this.
    pub(crate) include: Option<Regex>,
    /// No topic with this.
    pub(crate) exclude: Regex,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(include: Option<&str>, exclude: &str, topic: &str) -> bool {
        let include = include.map(|include| Regex::new(include).unwrap());
        Filter { include, exclude: Regex::new(exclude).unwrap() }.shows(topic).unwrap()
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
        let exclude = Regex::new(r"^((?=a)a+)+$").unwrap();
        let topic = format!("{}!", "a".repeat(60));
        assert!(Filter { include: None, exclude }.shows(&topic).is_err());
    }
}
