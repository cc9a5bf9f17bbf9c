//! What is to be published: from text and standard input to JSON, checked before anything is sent.

use std::io::{BufRead, Read};

use message::json;

use crate::process::{Failure, say};

/// What was to be published, and why it can't be.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It isn't text.
    #[error("{source_name} is not UTF-8 from byte {at} on; JSON on the bus is UTF-8, recode it")]
    NotUtf8 {
        /// `--message` or `standard input`.
        source_name: &'static str,
        /// How many of the leading bytes are valid.
        at: usize,
    },
    /// Nothing but white space is in it.
    #[error("{0} is empty; give one JSON document such as {{\"a\": 1}}")]
    Empty(&'static str),
    /// It isn't JSON.
    #[error("{source_name} is not JSON: {problem} at line {line}, column {column}\n  {excerpt}\n  {0:>1$}{mend}", '^', .column_shown)]
    NotJson {
        /// `--message` or `standard input`.
        source_name: &'static str,
        /// What is wrong.
        problem: json::Problem,
        /// Where, counted from 1.
        line: usize,
        /// Where, in characters counted from 1.
        column: usize,
        /// The text around the place.
        excerpt: String,
        /// Where in that the place is, in characters counted from 1.
        column_shown: usize,
        /// What the writer can do.
        mend: &'static str,
    },
}

/// How many characters are shown on either side of a mistake.
const AROUND: usize = 30;

/// The message that says `text`, as Python's command composes it.
pub(crate) fn log(text: &str) -> String {
    serde_json::json!({ "log": text }).to_string()
}

/// All of `input` as one JSON document.
pub(crate) fn whole(input: impl Read) -> Result<String, Failure> {
    Ok(document("standard input", bytes(input)?)?)
}

/// The lines of `input`, each without the white space around it, as one text.
pub(crate) fn stripped_lines(input: impl Read) -> Result<String, Failure> {
    let text = universal_newlines(&text("standard input", bytes(input)?)?);
    let lines = text.split_terminator('\n').map(|line| line.trim_matches(is_space));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The text as Python's text streams and its compiler read it: any of its line ends is `\n`.
pub(crate) fn universal_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn bytes(mut input: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(Failure::stream("read standard input"))?;
    Ok(bytes)
}

fn text(source_name: &'static str, bytes: Vec<u8>) -> Result<String, InputError> {
    String::from_utf8(bytes)
        .map_err(|error| InputError::NotUtf8 { source_name, at: error.utf8_error().valid_up_to() })
}

/// A JSON document.
pub(crate) fn document(source_name: &'static str, bytes: Vec<u8>) -> Result<String, InputError> {
    let text = text(source_name, bytes)?;
    if text.trim().is_empty() {
        return Err(InputError::Empty(source_name));
    }
    match json::canonical(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(not_json(source_name, &text, error)),
    }
}

fn not_json(source_name: &'static str, text: &str, error: json::Error) -> InputError {
    let (before, behind) = text.split_at_checked(error.at).unwrap_or((text, ""));
    let line_before = before.rsplit('\n').next().unwrap_or_default();
    let line_behind = behind.lines().next().unwrap_or_default();
    let column = line_before.chars().count();
    let shown = column.min(AROUND);
    let excerpt: String =
        line_before.chars().skip(column - shown).chain(line_behind.chars().take(AROUND)).collect();
    let mend = match (error.problem, line_behind.chars().next()) {
        (json::Problem::ExpectedKey | json::Problem::ExpectedValue, Some('\'')) => {
            " JSON wants double quotes, as in {\"a\": 1}"
        }
        (json::Problem::ExpectedKey, Some('}')) | (json::Problem::ExpectedValue, Some(']')) => {
            " JSON has no comma behind the last item"
        }
        (json::Problem::ExpectedKey, Some(_)) => " JSON wants keys in double quotes, as in {\"a\": 1}",
        (json::Problem::ExpectedValue, Some('A'..='Z' | 'a'..='z')) => {
            " text needs double quotes; without --json-input it is sent as it is"
        }
        (json::Problem::TrailingText, _) => " one document at a time; put several into a list",
        _ => "",
    };
    InputError::NotJson {
        source_name,
        problem: error.problem,
        line: before.matches('\n').count() + 1,
        column: column + 1,
        excerpt: excerpt.replace(message::steers, " "),
        column_shown: shown + 1,
        mend,
    }
}

/// Hands each line on as a message as soon as it is there, without the white space around it. What is odd is said in
/// the name of `program`.
pub(crate) fn each_line(
    program: &str,
    mut input: impl BufRead,
    mut send: impl FnMut(String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(Failure::stream("read standard input"))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if std::str::from_utf8(&line).is_err() {
            say(program, &format_args!("line {number} is not UTF-8; what is not is sent as \u{fffd}"));
        }
        send(log(text.trim_matches(is_space)))?;
    }
    Ok(())
}

/// What Python's `str.strip` takes off.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut messages = Vec::new();
        each_line("test", input, |message| {
            messages.push(message);
            Ok(())
        })
        .unwrap();
        messages
    }

    fn error(text: &str) -> String {
        document("--message", text.as_bytes().to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn each_line_is_a_message_without_the_space_around_it() {
        assert_eq!(
            lines("  one \r\n\n\ttwo č\u{1f}\nthree".as_bytes()),
            [r#"{"log":"one"}"#, r#"{"log":""}"#, r#"{"log":"two č"}"#, r#"{"log":"three"}"#]
        );
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn lines_of_a_text_are_stripped_one_by_one() {
        for (input, expected) in [
            ("  one \r\n\n\ttwo \u{1f}\rthree", "one\n\ntwo\nthree"),
            ("one\n", "one"),
            ("one\n\n", "one\n"),
            ("", ""),
        ] {
            assert_eq!(stripped_lines(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_sent_as_far_as_it_is() {
        assert_eq!(lines(b"caf\xe9 noir\n"), ["{\"log\":\"caf\u{fffd} noir\"}"]);
    }

    #[test]
    fn a_failure_ends_the_reading() {
        let mut count = 0;
        let result = each_line("test", &b"one\ntwo\n"[..], |_| {
            count += 1;
            Err(InputError::Empty("it").into())
        });
        assert!(matches!(result, Err(Failure::Input(InputError::Empty(_)))));
        assert_eq!(count, 1);
    }

    #[test]
    fn a_document_is_what_python_reads_as_json() {
        for text in ["{\"a\": 1}", " [NaN]\n", "\"text\"", "null"] {
            assert_eq!(document("--message", text.as_bytes().to_vec()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_json_is_named_with_place_and_mend() {
        assert_eq!(
            error("{'a': 1}"),
            "--message is not JSON: expected a key in double quotes at line 1, column 2\n  {'a': 1}\n   ^ JSON wants double quotes, as in {\"a\": 1}"
        );
        assert_eq!(
            error("{\n\t\"č\": 1\n\t\"b\": 2\n}"),
            "--message is not JSON: expected `,` or the closing bracket at line 3, column 2\n   \"b\": 2\n   ^"
        );
        assert_eq!(
            error(&format!("[{}oops]", "1, ".repeat(40))),
            "--message is not JSON: expected a value at line 1, column 122\n  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, oops]\n                                ^ text needs double quotes; without --json-input it is sent as it is"
        );
        assert!(error("[1,]").ends_with("JSON has no comma behind the last item"));
        assert!(error("{} {}").ends_with("one document at a time; put several into a list"));
        assert!(error("{").contains("line 1, column 2"));
    }

    #[test]
    fn what_is_empty_or_no_text_is_refused() {
        assert_eq!(error(" \n"), "--message is empty; give one JSON document such as {\"a\": 1}");
        let error = document("standard input", b"\"caf\xe9\"".to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "standard input is not UTF-8 from byte 4 on; JSON on the bus is UTF-8, recode it"
        );
    }
}
