//! What messages say to people, held against the real `fedmsg.meta`.

use e2e::{Process, Scratch, python, seed, workspace};
use fastrand::Rng;
use message::Envelope;
use meta::{Message, Registry};
use serde_json::{Value, json};

const MESSAGES: usize = 2_000;

const TOPICS: &[&str] = &[
    "org.fedoraproject.dev.logger.log",
    "org.fedoraproject.prod.logger.logger.log",
    "org.fedoraproject.stg.logger.other",
    "org.fedoraproject.dev.logger",
    "org.fedoraproject.dev.loggers.log",
    "org.fedoraproject.d3v.logger.log",
    "org.debian.dev.logger.log",
    "org.fedoraproject.prod.announce.announcement",
    "org.fedoraproject.prod.announce",
    "org.fedoraproject.prod.bodhi.update.comment",
    "/topic/org.fedoraproject.prod.git.receive",
    "org.fedoraproject.prod",
    "short",
];
const TEXTS: &[&str] =
    &["", "Hai there.", "žluťoučký kůň 𝕏", "two\nlines", "\u{3}4red", "a -- b", "{title} %s"];

/// A message as programs send it, and as they do not: with keys left out, and things of other services in them.
fn message(random: &mut Rng) -> Value {
    let mut msg = json!({});
    for key in ["log", "message", "link", "other"] {
        if random.bool() {
            msg[key] = json!(pick(random, TEXTS));
        }
    }
    if random.u8(..4) == 0 && msg.get("link").is_some() {
        msg["link"] = Value::Null;
    }
    let mut message = json!({"topic": pick(random, TOPICS), "msg": msg, "msg_id": "2026-1", "i": 1});
    if random.u8(..4) != 0 {
        message["username"] = json!(pick(random, TEXTS));
    }
    message
}

fn pick<'t>(random: &mut Rng, from: &[&'t str]) -> &'t str {
    from[random.usize(..from.len())]
}

#[test]
fn messages_are_described_as_by_the_python_fedmsg() {
    let mut random = Rng::with_seed(seed());
    let messages: Vec<Value> = (0..MESSAGES).map(|_| message(&mut random)).collect();
    let scratch = Scratch::new();
    let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
    let mut describe = python();
    describe.arg(workspace().join("tests/python/describe.py"));
    let python = Process::run(&scratch, "describe", &mut describe, &lines);
    let expected: Vec<Value> =
        python.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(expected.len(), MESSAGES, "{}", python.stderr);

    let registry = Registry::new("org.fedoraproject");
    let mut lines = 0;
    for (message, expected) in messages.iter().zip(expected) {
        let (topic, body) = (message["topic"].as_str().unwrap(), message.to_string());
        let envelope = Envelope::parse(body.as_bytes()).unwrap();
        let described = registry.describe(&Message::new(topic, &envelope));
        let ours = json!({
            // Python has no line for a message that lacks what its provider counts on.
            "line": if expected["line"] == "" { String::new() } else { described.to_string() },
            "title": described.title,
            "subtitle": described.subtitle,
            "link": described.link,
            "icon": described.icon,
            "usernames": described.usernames,
            "packages": described.packages,
            "objects": described.objects,
        });
        assert_eq!(ours, expected, "{message}");
        lines += usize::from(expected["line"] != "");
    }
    assert!(lines > MESSAGES / 2, "{lines} of {MESSAGES}: a poor sample");
}
