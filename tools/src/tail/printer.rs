//! From what came over the bus to lines of output.

use std::io::{self, Write};

use bus::Incoming;
use crypto::Validator;
use message::Topic;

use crate::admit::{Unfit, admit};
use crate::filter::Filter;
use crate::view::{ShowError, View};

/// Prints messages, and leaves out what is not to be seen.
pub(super) struct Printer<W> {
    pub(super) out: W,
    pub(super) filter: Filter,
    /// None to print whatever anybody has sent.
    pub(super) validator: Option<Validator>,
    pub(super) view: View,
    /// How many messages are still to be printed, if that is limited.
    pub(super) left: Option<u64>,
}

/// Why a message is noted on standard error and not printed.
#[derive(Debug, thiserror::Error)]
enum Unprintable {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("topic {0:?}: {1}")]
    Form(Topic, ShowError),
}

impl<W: Write> Printer<W> {
    /// Whether all is printed that was asked for.
    pub(super) fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Prints one message, or notes in the log why it can't.
    pub(super) fn print(&mut self, incoming: &Incoming) -> io::Result<()> {
        if self.is_done() {
            return Ok(());
        }
        match self.text(incoming) {
            // Python prints no empty lines either.
            Ok(Some(text)) if !text.is_empty() => {
                writeln!(self.out, "{text}")?;
                self.left = self.left.map(|left| left - 1);
            }
            Ok(_) => {}
            Err(reason) => tracing::warn!(endpoint = %incoming.endpoint, "not printed: {reason}"),
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What to print; `None` for a message that is not to be seen.
    fn text(&self, incoming: &Incoming) -> Result<Option<String>, Unprintable> {
        let admitted = admit(&incoming.frames, &self.filter, self.validator.as_ref())?;
        let Some((topic, envelope)) = admitted else { return Ok(None) };
        if self.filter.wants_description()
            && !self.filter.shows_what_concerns(&self.view.describe(&topic, &envelope))
        {
            return Ok(None);
        }
        let shown = self.view.show(incoming.endpoint.as_str(), &topic, &envelope);
        shown.map(Some).map_err(|error| Unprintable::Form(topic, error))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bus::Frames;
    use bytes::Bytes;
    use fancy_regex::Regex;
    use jiff::tz::TimeZone;
    use meta::Registry;

    use super::*;
    use crate::query::Query;
    use crate::view::Form;

    fn incoming(topic: &'static [u8], body: &'static [u8]) -> Incoming {
        let frames = Frames::Message { topic: Bytes::from_static(topic), body: Bytes::from_static(body) };
        Incoming { endpoint: "somewhere".into(), frames }
    }

    fn printed(form: Form, count: Option<u64>, messages: &[Incoming]) -> String {
        let (exclude, nobody) = (Regex::new("_heartbeat").unwrap(), BTreeSet::new());
        let filter = Filter { include: None, exclude, users: nobody.clone(), packages: nobody };
        let registry = Registry::new("org.fedoraproject");
        let view = View { form, registry, colours: false, is_terminal: false, zone: TimeZone::UTC };
        let mut printer = Printer { out: Vec::new(), filter, validator: None, view, left: count };
        for message in messages {
            printer.print(message).unwrap();
        }
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn a_message_is_a_line_and_what_is_none_is_left_out() {
        let malformed = Incoming { endpoint: "x".into(), frames: Frames::Malformed { count: 3, bytes: 9 } };
        let messages = [
            incoming(b"a", b"{\"i\": 1}"),
            malformed,
            incoming(b"", b"{}"),
            incoming(b"\xff", b"{}"),
            incoming(b"a", b"[]"),
            incoming(b"a", b"not JSON"),
            incoming(b"a", b"\"\xff\""),
            incoming(b"a_heartbeat", b"{}"),
            incoming(b"a", b"{\"i\":2}"),
        ];
        assert_eq!(printed(Form::Wire, None, &messages), "{\"i\": 1}\n{\"i\":2}\n");
    }

    #[test]
    fn it_stops_after_the_messages_asked_for() {
        let messages = [incoming(b"a_heartbeat", b"{}"), incoming(b"a", b"{}"), incoming(b"a", b"{}")];
        assert_eq!(printed(Form::Wire, Some(1), &messages), "{}\n");
    }

    #[test]
    fn an_empty_answer_is_not_printed() {
        let messages = [incoming(b"a", b"{\"a\":\"\"}"), incoming(b"a", b"{\"a\":\"x\"}")];
        assert_eq!(printed(Form::Query(Query::parse("a")), Some(1), &messages), "x\n");
    }
}
