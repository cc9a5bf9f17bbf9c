//! Lines of the custom log of gource, which draws who does something to what.

use std::collections::BTreeSet;

use meta::Description;

/// The category of a topic that is too short to have one, as in `fedmsg-collectd`.
const UNHANDLED: &str = "unhandled";

/// A line for each of the message's users and each of its objects: `TIME|USER|A|CATEGORY/OBJECT`. Gource wants both, so
/// the category stands in for users, and the topic for objects.
pub(super) fn lines(seconds: i64, topic: &str, described: &Description) -> String {
    let or = |names: &BTreeSet<String>, other: String| match names.is_empty() {
        true => BTreeSet::from([other]),
        false => names.clone(),
    };
    let category = if described.category.is_empty() { UNHANDLED } else { &described.category };
    let title = if described.title.is_empty() { topic } else { &described.title };
    let users = or(&described.usernames, category.to_owned());
    let objects = or(&described.objects, title.replace('.', "/"));
    let mut lines = Vec::new();
    for user in &users {
        for object in &objects {
            let within = format!("{category}/");
            let path = match object.starts_with(&within) {
                true => object.clone(),
                false => within + object,
            };
            lines.push(format!("{seconds}|{}|A|{}", field(user), field(&path)));
        }
    }
    lines.join("\n")
}

/// The text without what would end a field or a line, or turn it round.
fn field(text: &str) -> String {
    text.replace(|c: char| c == '|' || message::steers(c), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "org.example.dev.wiki.article.edit";

    fn described(users: &[&str], objects: &[&str]) -> Description {
        let set = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
        Description {
            title: "wiki.article.edit".to_owned(),
            subtitle: String::new(),
            link: None,
            icon: None,
            usernames: set(users),
            packages: BTreeSet::new(),
            objects: set(objects),
            category: "wiki".to_owned(),
        }
    }

    #[test]
    fn each_user_does_something_to_each_object() {
        assert_eq!(
            lines(7, TOPIC, &described(&["ralph", "toshio"], &["pages/A", "pages/B"])),
            "7|ralph|A|wiki/pages/A\n7|ralph|A|wiki/pages/B\n7|toshio|A|wiki/pages/A\n7|toshio|A|wiki/pages/B"
        );
    }

    #[test]
    fn category_and_topic_stand_in_for_what_is_not_known() {
        assert_eq!(lines(7, TOPIC, &described(&[], &[])), "7|wiki|A|wiki/article/edit");
        let short = Description { title: String::new(), category: String::new(), ..described(&[], &[]) };
        assert_eq!(lines(7, "college.edit", &short), "7|unhandled|A|unhandled/college/edit");
    }

    #[test]
    fn nothing_in_a_message_makes_a_field_or_a_line() {
        assert_eq!(lines(7, TOPIC, &described(&["a|b\n9"], &["x\ry\u{202e}"])), "7|a_b_9|A|wiki/x_y_");
    }
}
