//! Compares with the real Python, on generated messages: `python3` has to be there.
//!
//! `FEDMSG_TEST_SEED` repeats a run; a failure prints the seed.

use std::io::Write;
use std::process::{Command, Stdio};

use fastrand::Rng;

use jiff::tz::TimeZone;

use super::{CREDENTIALS, LoadError, MAX_DEPTH, Value, dressed, pformat, text};

/// What the Python `script` writes when it reads `input`.
fn python(script: &str, input: &str) -> String {
    let mut python = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 should start");
    let mut stdin = python.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).expect("python3 should read on"));
        python.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn random() -> Rng {
    let seed =
        std::env::var("FEDMSG_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("FEDMSG_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

/// A JSON string: words and spaces of all sorts, now and then long.
fn string(random: &mut Rng) -> String {
    const PIECES: [&str; 24] = [
        "word",
        "a",
        "longer-than-most-words",
        " ",
        " ",
        "  ",
        r"\n",
        r"\r\n",
        r"\r",
        r"\t",
        "'",
        r#"\""#,
        r"\\",
        r"\u001c",
        r"\u0085",
        r"\u2028",
        r"\u00a0",
        "č",
        "😀",
        r"\ud83d",
        r"\u0301",
        r"\u0000",
        r"\u200b",
        "漢",
    ];
    let pieces = if random.u8(..) < 32 { random.usize(0..80) } else { random.usize(0..5) };
    let inner: String = (0..pieces).map(|_| PIECES[random.usize(..PIECES.len())]).collect();
    format!("\"{inner}\"")
}

fn value(random: &mut Rng, depth: usize) -> String {
    let items = |random: &mut Rng| if random.bool() { random.usize(0..3) } else { random.usize(0..9) };
    match random.u8(..if depth == 0 { 5 } else { 9 }) {
        0 => ["null", "true", "false", "NaN", "-Infinity"][random.usize(..5)].to_owned(),
        1 => random.i64(..).to_string(),
        2 => format!("{:e}", f64::from_bits(random.u64(..)) % 1e300).replace("inf", "1"),
        3 | 4 => string(random),
        5 | 6 => {
            let items: Vec<_> = (0..items(random)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => {
            let members: Vec<_> = (0..items(random))
                .map(|_| format!("{}:{}", string(random), value(random, depth - 1)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

#[test]
fn messages_are_laid_out_as_by_pythons_pprint_and_repr() {
    let mut random = random();
    let messages: Vec<String> =
        (0..5000).map(|_| format!("{{\"msg\":{},\"i\":1}}", value(&mut random, 6))).collect();
    let script = "\
import json, pprint, sys
for line in sys.stdin.buffer:
    message = json.loads(line)
    print(pprint.pformat(message), repr(message), '', sep='\\0')";
    let answers = python(script, &messages.join("\n"));
    let mut answers = answers.split('\0').map(|answer| answer.trim_start_matches('\n'));
    for message in &messages {
        let value = Value::load(message).unwrap();
        let (pretty, repr) = (answers.next().unwrap(), answers.next().unwrap());
        assert_eq!(value.repr(), repr, "{message}");
        assert_eq!(pformat(value), pretty, "{message}");
    }
}

#[test]
fn every_character_that_python_knows_is_written_as_by_its_repr() {
    // Characters that one of the two does not know yet are left out.
    let script = "\
import sys, unicodedata
for point in range(0x110000):
    if unicodedata.category(chr(point)) not in ('Cn', 'Cs'):
        print(point, repr(chr(point)))";
    let answers = python(script, "");
    let mut count = 0;
    for answer in answers.split_terminator('\n') {
        let (point, repr) = answer.split_once(' ').unwrap();
        assert_eq!(text::repr(&[point.parse().unwrap()]), repr, "{point}");
        count += 1;
    }
    assert!(count > 200_000, "{count}");
}

#[test]
fn credentials_are_left_out_on_the_first_level_only_and_the_time_is_in_words() {
    let message =
        r#"{"signature":"x","msg":{"certificate":1},"certifi\u0063ate":"y","timestamp":1795216482.9}"#;
    assert_eq!(
        dressed(message, &CREDENTIALS, None).unwrap(),
        r#"{"msg":{"certificate":1},"timestamp":1795216482.9}"#
    );
    assert_eq!(
        dressed(message, &["msg"], Some(&TimeZone::UTC)).unwrap(),
        r#"{"signature":"x","certifi\u0063ate":"y","timestamp":"Fri Nov 20 23:14:42 2026"}"#
    );
}

#[test]
fn a_timestamp_that_is_no_time_stays_as_it_is() {
    for (timestamp, expected) in [
        ("\"noon\"", "\"noon\""),
        ("null", "null"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e300", "1e300"),
        ("0.9", "\"Thu Jan  1 00:00:00 1970\""),
        ("-0.5", "\"Wed Dec 31 23:59:59 1969\""),
    ] {
        let shown = dressed(&format!("{{\"timestamp\":{timestamp}}}"), &[], Some(&TimeZone::UTC)).unwrap();
        assert_eq!(shown, format!("{{\"timestamp\":{expected}}}"));
    }
}

#[test]
fn what_is_nested_too_deep_for_the_stack_is_refused() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(pformat(Value::load(&nested(MAX_DEPTH)).unwrap()).starts_with("[["));
    assert!(matches!(Value::load(&nested(MAX_DEPTH + 1)), Err(LoadError::TooDeep)));
}
