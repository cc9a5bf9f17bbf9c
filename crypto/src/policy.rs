//! Who may send what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use message::{Pattern, PatternSet};

use crate::verdict::Reason;

/// Python's `routing_policy` and `routing_nitpicky`: for each topic the common names of the certificates that may send
/// it. A topic without a rule is open to every trusted certificate, or if the policy is nitpicky, to none.
///
/// Beyond Python, a rule may be a glob ([`Pattern`]). A rule for exactly the topic comes before all globs; of several
/// globs, the one with the most text that is no wildcard. Where two have the same amount, both must allow it.
#[derive(Debug, Default)]
pub struct RoutingPolicy {
    exact: HashMap<String, BTreeSet<String>>,
    globs: Vec<Glob>,
    /// The places in `globs`.
    matching: PatternSet<usize>,
    nitpicky: bool,
}

#[derive(Debug)]
struct Glob {
    pattern: Pattern,
    names: BTreeSet<String>,
}

/// What is wrong with a rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// No topic is like that.
    #[error("routing_policy: no topic can match the rule {rule:?}")]
    MatchesNothing {
        /// The rule's topic or glob.
        rule: String,
    },
    /// It has no names.
    #[error("routing_policy: the rule {rule:?} lets nobody send")]
    AllowsNobody {
        /// The rule's topic or glob.
        rule: String,
    },
}

impl RoutingPolicy {
    /// The policy of these rules, each a topic or glob with the common names it allows.
    #[must_use]
    pub fn new(rules: BTreeMap<String, BTreeSet<String>>, nitpicky: bool) -> Self {
        let mut policy = Self { nitpicky, ..Self::default() };
        for (rule, names) in rules {
            let pattern = Pattern::new(&rule);
            // The empty text is a pattern for everything, but as a topic it is none.
            if pattern.is_literal() || rule.is_empty() {
                policy.exact.insert(rule, names);
            } else {
                policy.matching.insert(&pattern, policy.globs.len());
                policy.globs.push(Glob { pattern, names });
            }
        }
        policy
    }

    pub(crate) fn check(&self, topic: &str, cn: &str) -> Result<(), Reason> {
        let permit = |allowed| if allowed { Ok(()) } else { Err(Reason::NotPermitted) };
        if let Some(names) = self.exact.get(topic) {
            return permit(names.contains(cn));
        }
        if self.globs.is_empty() {
            return self.unlisted();
        }
        let matching: Vec<&Glob> =
            self.matching.matches(topic).into_iter().map(|at| &self.globs[at]).collect();
        match matching.iter().map(|glob| glob.pattern.literal_len()).max() {
            Some(most) => permit(
                matching
                    .iter()
                    .filter(|glob| glob.pattern.literal_len() == most)
                    .all(|glob| glob.names.contains(cn)),
            ),
            None => self.unlisted(),
        }
    }

    fn unlisted(&self) -> Result<(), Reason> {
        if self.nitpicky { Err(Reason::NotListed) } else { Ok(()) }
    }

    /// The rules that an operator can't have meant.
    #[must_use]
    pub fn problems(&self) -> Vec<PolicyProblem> {
        let exact = self.exact.iter().map(|(rule, names)| (rule.as_str(), names));
        let globs = self.globs.iter().map(|glob| (glob.pattern.as_str(), &glob.names));
        let mut problems = Vec::new();
        for (rule, names) in exact.chain(globs) {
            let rule = rule.to_owned();
            if rule.is_empty() || Pattern::new(&rule).is_nothing() {
                problems.push(PolicyProblem::MatchesNothing { rule });
            } else if names.is_empty() {
                problems.push(PolicyProblem::AllowsNobody { rule });
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "org.fedoraproject.prod.bodhi.update.comment";

    fn policy(rules: &[(&str, &[&str])], nitpicky: bool) -> RoutingPolicy {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        RoutingPolicy::new(rules.iter().map(|(rule, of)| (rule.to_string(), names(of))).collect(), nitpicky)
    }

    #[test]
    fn a_listed_topic_is_open_to_those_on_its_list_alone() {
        let policy = policy(&[(T, &["bodhi", "web"])], false);
        assert_eq!(policy.check(T, "web"), Ok(()));
        assert_eq!(policy.check(T, "shell"), Err(Reason::NotPermitted));
        assert_eq!(policy.check(T, "bod"), Err(Reason::NotPermitted));
        assert_eq!(policy.check("another", "shell"), Ok(()));
    }

    #[test]
    fn a_nitpicky_policy_closes_what_it_does_not_list() {
        let policy = policy(&[(T, &["bodhi"])], true);
        assert_eq!(policy.check(T, "bodhi"), Ok(()));
        assert_eq!(policy.check("another", "bodhi"), Err(Reason::NotListed));
    }

    #[test]
    fn the_most_specific_rule_counts() {
        let policy = policy(
            &[
                ("*", &["anybody"]),
                ("org.fedoraproject.prod.*", &["prod"]),
                ("*.bodhi.update.*.even.longer.but.another", &["nobody"]),
                ("org.fedoraproject.*.bodhi.update.*", &["bodhi", "both"]),
                ("org.fedoraproject.prod.bodhi.update.request", &["exact"]),
            ],
            true,
        );
        let allowed = |topic, cn| policy.check(topic, cn).is_ok();
        assert!(allowed(T, "bodhi") && !allowed(T, "prod") && !allowed(T, "anybody"));
        assert!(allowed("org.fedoraproject.prod.git.receive", "prod"));
        assert!(allowed("com.example", "anybody") && !allowed("com.example", "prod"));
        let request = "org.fedoraproject.prod.bodhi.update.request";
        assert!(allowed(request, "exact") && !allowed(request, "bodhi"));
    }

    #[test]
    fn of_equally_specific_rules_all_must_allow() {
        let policy = policy(&[("a.*", &["x", "both"]), ("*.a", &["y", "both"])], false);
        assert_eq!(policy.check("a.a", "both"), Ok(()));
        assert_eq!(policy.check("a.a", "x"), Err(Reason::NotPermitted));
        assert_eq!(policy.check("a.b", "x"), Ok(()));
    }

    #[test]
    fn a_rule_in_brackets_is_a_glob_even_if_one_topic_alone_matches_it() {
        let policy = policy(&[("org.[a]", &["bodhi"]), ("org.[unclosed", &["odd"])], false);
        assert_eq!(policy.check("org.a", "bodhi"), Ok(()));
        assert_eq!(policy.check("org.a", "shell"), Err(Reason::NotPermitted));
        assert_eq!(policy.check("org.[a]", "shell"), Ok(()));
        assert_eq!(policy.check("org.[unclosed", "shell"), Err(Reason::NotPermitted));
    }

    #[test]
    fn rules_without_effect_are_found() {
        let rules: &[(&str, &[&str])] = &[
            ("", &["x"]),
            ("a", &[]),
            ("b.*", &[]),
            ("c", &["x"]),
            ("d.[z-a]*", &["x"]),
            ("e.[!z-a]", &["x"]),
        ];
        let policy = policy(rules, false);
        let mut found: Vec<String> = policy.problems().iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("no topic can match the rule \"\""));
        assert!(found[1].contains("no topic can match the rule \"d.[z-a]*\""));
        assert!(found[2].contains("\"a\" lets nobody") && found[3].contains("\"b.*\" lets nobody"));
        assert_eq!(policy.check("anything", "x"), Ok(()), "the empty rule is none");
    }
}
