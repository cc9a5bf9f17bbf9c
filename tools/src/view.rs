//! The forms in which a message is shown.

mod cow;
mod gource;
mod record;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use message::{Envelope, Topic, json};
use meta::python::{CREDENTIALS, LoadError, MAX_DEPTH, Value, dressed, pformat, pretty_dumps};
use meta::{Description, Message, Registry};

use crate::colour;
use crate::query::Query;

/// What is shown of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// The body as it came, on one line.
    Wire,
    /// Only parts of it.
    Query(Query),
    /// As Python's `pprint` lays it out, without credentials and with the time in words.
    Pretty,
    /// Indented JSON without credentials.
    ReallyPretty,
    /// What it says to people.
    Terse,
    /// The body within a JSON object that says how it came.
    Record,
    /// Who did something to what, for the program gource.
    Gource,
    /// What it says to people, said by the program cowsay.
    Cowsay,
}

/// How messages are shown.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) form: Form,
    /// Knows what messages say to people.
    pub(crate) registry: Registry,
    /// For the form that has some.
    pub(crate) colours: bool,
    /// Where what others have sent would do something.
    pub(crate) is_terminal: bool,
    /// For the time in words.
    pub(crate) zone: TimeZone,
}

/// Why a message can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowError {
    #[error("nested over {MAX_DEPTH} levels deep, too deep for --query, --pretty and --really-pretty")]
    TooDeep,
    #[error("not JSON: {0}")]
    NotJson(#[from] json::Error),
    #[error("it has no timestamp, which --gource goes by")]
    NoTime,
    #[error(transparent)]
    Cow(#[from] cow::CowError),
}

impl From<LoadError> for ShowError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::TooDeep => Self::TooDeep,
            LoadError::NotJson(error) => Self::NotJson(error),
        }
    }
}

impl View {
    /// What a message says to people.
    pub(crate) fn describe(&self, topic: &Topic, envelope: &Envelope<'_>) -> Description {
        self.registry.describe(&Message::new(topic, envelope))
    }

    /// A message in its form, without the last line's end.
    pub(crate) fn show(
        &self,
        endpoint: &str,
        topic: &Topic,
        envelope: &Envelope<'_>,
    ) -> Result<String, ShowError> {
        // The envelope has looked at it.
        let body = std::str::from_utf8(envelope.body()).unwrap_or_default();
        Ok(match &self.form {
            Form::Wire => self.harmless(&on_one_line(body)),
            Form::Query(query) => self.harmless(&query.answer(&Value::load(body)?)),
            Form::Pretty => {
                format!("\n{}", pformat(Value::load(&dressed(body, &CREDENTIALS, Some(&self.zone))?)?))
            }
            Form::ReallyPretty => {
                let text = pretty_dumps(&dressed(body, &CREDENTIALS, None)?)?;
                format!("\n{}", if self.colours { colour::paint(&text) } else { text })
            }
            Form::Terse => self.harmless(&format!("\n{}", self.describe(topic, envelope))),
            Form::Record => self.harmless(&record::record(Timestamp::now(), endpoint, topic, body)),
            Form::Gource => {
                let time = envelope.timestamp().ok_or(ShowError::NoTime)?;
                gource::lines(time as i64, topic, &self.describe(topic, envelope))
            }
            Form::Cowsay => {
                let said = self.describe(topic, envelope).subtitle;
                self.harmless(&format!("\n{}", cow::say(&said)?))
            }
        })
    }

    /// On a terminal, what others have sent must not steer it.
    fn harmless(&self, text: &str) -> String {
        match self.is_terminal {
            true => message::printable_lines(text).into_owned(),
            false => text.to_owned(),
        }
    }
}

/// Line breaks stand only between the tokens of a JSON text.
fn on_one_line(body: &str) -> Cow<'_, str> {
    match body.contains(['\n', '\r']) {
        true => Cow::Owned(body.replace(['\n', '\r'], " ")),
        false => Cow::Borrowed(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"i":1,"msg":{"log":"hi"},"timestamp":1795216482,"signature":"x"}"#;

    fn view(form: Form) -> View {
        let registry = Registry::new("org.fedoraproject");
        View { form, registry, colours: false, is_terminal: false, zone: TimeZone::UTC }
    }

    impl View {
        fn shows(&self, body: &str) -> Result<String, ShowError> {
            let topic = Topic::from_frame(b"org.fedoraproject.dev.logger.log").unwrap();
            self.show("relay_outbound", &topic, &Envelope::parse(body.as_bytes()).unwrap())
        }
    }

    #[test]
    fn the_wire_form_is_the_body_on_one_line() {
        assert_eq!(view(Form::Wire).shows(BODY).unwrap(), BODY);
        assert_eq!(view(Form::Wire).shows("{\r\n\"a\": 1\n}").unwrap(), "{  \"a\": 1 }");
    }

    #[test]
    fn the_pretty_form_has_the_time_in_words_and_no_credentials() {
        let shown = view(Form::Pretty).shows(BODY).unwrap();
        assert_eq!(shown, "\n{'i': 1, 'msg': {'log': 'hi'}, 'timestamp': 'Fri Nov 20 23:14:42 2026'}");
    }

    #[test]
    fn the_really_pretty_form_is_indented_json_without_credentials() {
        let expected =
            "\n{\n  \"i\": 1,\n  \"msg\": {\n    \"log\": \"hi\"\n  },\n  \"timestamp\": 1795216482\n}";
        let shown = view(Form::ReallyPretty).shows(BODY).unwrap();
        assert_eq!(shown, expected);
        let coloured = View { colours: true, ..view(Form::ReallyPretty) }.shows(BODY).unwrap();
        assert_ne!(coloured, expected);
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), expected);
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let body = "{\"msg\":\"a\u{9b}2Jb\u{202e}\",\"esc\":\"\\u001b[2J\\u2066\"}";
        let terminal = |form| View { is_terminal: true, ..view(form) };
        assert_eq!(
            terminal(Form::Wire).shows(body).unwrap(),
            r#"{"msg":"a\u009b2Jb\u202e","esc":"\u001b[2J\u2066"}"#
        );
        let query = || Form::Query(Query::parse("esc"));
        assert_eq!(terminal(query()).shows(body).unwrap(), r"\u001b[2J\u2066");
        assert_eq!(view(query()).shows(body).unwrap(), "\u{1b}[2J\u{2066}");
    }

    #[test]
    fn a_message_nested_too_deep_is_refused_by_forms_that_lay_it_out() {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(900), "]".repeat(900));
        for form in [Form::Pretty, Form::ReallyPretty, Form::Query(Query::parse("a"))] {
            assert!(matches!(view(form).shows(&body), Err(ShowError::TooDeep)));
        }
        assert_eq!(view(Form::Wire).shows(&body).unwrap(), body);
        let bearable = format!("{{\"a\":{}{}}}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
        assert!(view(Form::Pretty).shows(&bearable).is_ok());
    }

    #[test]
    fn the_terse_form_says_what_happened() {
        let shown = view(Form::Terse)
            .shows(r#"{"topic":"t","msg":{"log":"hi\u001b[2J"},"username":"ralph"}"#)
            .unwrap();
        assert_eq!(shown, "\nlogger.log -- hi\u{1b}[2J (ralph) ");
        let terminal = View { is_terminal: true, ..view(Form::Terse) };
        let shown =
            terminal.shows(r#"{"topic":"t","msg":{"log":"hi\u001b[2J"},"username":"ralph"}"#).unwrap();
        assert_eq!(
            shown,
            r"
logger.log -- hi\u001b[2J (ralph) "
        );
    }

    #[test]
    fn gource_needs_a_time() {
        assert_eq!(
            view(Form::Gource).shows(r#"{"topic":"t","timestamp":1795216482.9,"username":"ralph"}"#).unwrap(),
            "1795216482|ralph|A|logger/log"
        );
        assert!(matches!(view(Form::Gource).shows("{}"), Err(ShowError::NoTime)));
    }
}
