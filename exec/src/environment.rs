//! What a command is told in its environment.

use crate::Message;

/// The variables. Those that have nothing to say are not there, whatever this process has in them.
pub const NAMES: [&str; 5] =
    ["FEDMSG_TOPIC", "FEDMSG_MSG_ID", "FEDMSG_TIMESTAMP", "FEDMSG_ENDPOINT", "FEDMSG_COUNT"];

/// No value is longer, in bytes.
const LONGEST: usize = 256;

/// The variables for a run: of the newest message, and how many there are.
pub(crate) fn of(messages: &[Message]) -> [(&'static str, Option<String>); NAMES.len()] {
    let newest = messages.last();
    let [topic, id, timestamp, endpoint, count] = NAMES;
    [
        (topic, newest.map(|message| harmless(&message.topic))),
        (id, newest.and_then(|message| message.msg_id.as_deref()).map(harmless)),
        (
            timestamp,
            newest.and_then(|message| message.timestamp).map(|seconds| harmless(&seconds.to_string())),
        ),
        (endpoint, newest.map(|message| harmless(&message.endpoint))),
        (count, Some(messages.len().to_string())),
    ]
}

/// The text with `_` for whatever means something to a shell, a file system or a command line, even where a script has
/// forgotten its quotes: only ASCII letters, digits and `._:@+-` stay, and neither `-` nor `.` at the beginning.
fn harmless(text: &str) -> String {
    let keep = |place, c: char| match c {
        '.' | '-' => place > 0,
        '_' | ':' | '@' | '+' => true,
        _ => c.is_ascii_alphanumeric(),
    };
    let chars = text.chars().take(LONGEST).enumerate();
    chars.map(|(place, c)| if keep(place, c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_shell_could_take_for_its_own_stays() {
        assert_eq!(harmless("org.fedoraproject.prod.bodhi-2.x_y"), "org.fedoraproject.prod.bodhi-2.x_y");
        assert_eq!(harmless("'; touch /tmp/x; '"), "___touch__tmp_x___");
        assert_eq!(harmless("a\nb\0c\u{1b}[d"), "a_b_c__d");
        assert_eq!(harmless("() { :; }; x"), "_____:_____x");
        assert_eq!((&*harmless("-rf"), &*harmless("../..")), ("_rf", "_._.."));
        assert_eq!(harmless("ä$(x)`y`*?[z]"), "___x__y____z_");
    }

    #[test]
    fn a_value_is_short() {
        assert_eq!(harmless(&"ä".repeat(100_000)).len(), LONGEST);
    }
}
