//! The IRC bot's lines, held against those of the real Python bot.

use e2e::{IrcServer, IrcUser, Process, Scratch, TestPublisher, bus_shaped_messages, python, workspace};
use serde_json::{Value, json};

use crate::irc::{LOG, bots, entry};

#[test]
fn lines_are_coloured_and_plain_as_the_python_bot_prints_them() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let [pretty, plain] = ["bot", "plain"].map(|name| entry(server.port(), name));
    let entries = format!(
        "{pretty}make_terse = true\nmake_pretty = true\n{plain}make_terse = true\n\
         [fedmsg.consumers.ircbot.irc_color_lookup]\nlogger = \"orange\"\nbodhi = \"light cyan\""
    );
    let _hub = bots(&scratch, &publisher, &entries).start();
    user.wait_for_join("bot", 1);
    user.wait_for_join("plain", 1);
    publisher.wait_for_subscriber(LOG);

    let messages = [
        (LOG, json!({"log": "Hai there. žluťoučký"})),
        (LOG, json!({"custom": 1})),
        (
            "org.fedoraproject.prod.announce.announcement",
            json!({"message": "Fedora 99", "link": "https://x.org/a?b=c"}),
        ),
        ("org.fedoraproject.prod.announce.announcement", json!({"message": "No link", "link": null})),
        ("org.fedoraproject.prod.bodhi.update.comment", json!({"a": "b"})),
    ];
    let mut lines = String::new();
    for (topic, msg) in &messages {
        publisher.publish(topic, &msg.to_string());
        lines += &format!("{}\n", json!({"topic": topic, "msg": msg, "username": "test"}));
    }
    let said = user.wait_for_said(messages.len() * 2);
    let by = |who: &str| -> Vec<String> {
        said.iter().filter(|(sender, _)| sender == who).map(|(_, text)| text.clone()).collect()
    };
    let expected = python_lines(&scratch, &lines);
    assert_eq!(by("bot"), column(&expected, "pretty"));
    assert_eq!(by("plain"), column(&expected, "plain"));
}

/// The lines that the Python bot makes of these bodies, one a line, in each of its forms.
fn python_lines(scratch: &Scratch, bodies: &str) -> Vec<Value> {
    let mut oracle = python();
    oracle.arg(workspace().join("tests/python/irc_lines.py"));
    let oracle = Process::run(scratch, "oracle", &mut oracle, bodies);
    let lines: Vec<Value> = oracle.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), bodies.lines().count(), "{}", oracle.stderr);
    lines
}

/// Those of one form.
fn column<'l>(lines: &'l [Value], form: &str) -> Vec<&'l str> {
    lines.iter().map(|line| line[form].as_str().unwrap()).collect()
}

#[test]
fn raw_lines_are_those_of_the_python_bot_plain_and_pretty() {
    let scratch = Scratch::new();
    let odd = r#"{"topic":"a.b","timestamp":1795216482.5,"msg":{"é'\"\\":[-1.50,1e22,NaN,-Infinity,true,null,{},[],"\u007f\ud83d"]}}"#;
    let small = json!({"topic": "a.b.c.d", "msg": "don't", "i": 1}).to_string();
    let bus = bus_shaped_messages().into_iter().step_by(20).zip(1..);
    let bus = bus.map(|((topic, head, tail), n)| (topic, format!("{head}{n}{tail}")));
    let messages: Vec<_> =
        [("a.b".to_owned(), odd.to_owned()), ("a.b.c.d".to_owned(), small)].into_iter().chain(bus).collect();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let entries =
        format!("{}{}make_pretty = true", entry(server.port(), "bot"), entry(server.port(), "pretty"));
    let _hub = bots(&scratch, &publisher, &entries).start();
    user.wait_for_join("bot", 1);
    user.wait_for_join("pretty", 1);
    publisher.wait_for_subscriber(LOG);
    for (topic, body) in &messages {
        publisher.send(topic, body.as_bytes());
    }
    let is_of_message = |(_, line): &&(String, String)| !line.starts_with("* backlogged");
    let has_all = |said: &Vec<_>| said.iter().filter(is_of_message).count() == messages.len() * 2;
    let said = (1..).map(|n| user.wait_for_said(n)).find(has_all).unwrap();
    let bodies: String = messages.iter().map(|(_, body)| format!("{body}\n")).collect();
    let expected = python_lines(&scratch, &bodies);
    for (sender, form) in [("bot", "raw"), ("pretty", "raw_pretty")] {
        let said = said.iter().filter(is_of_message).filter(|(by, _)| by == sender);
        for ((_, said), expected) in said.zip(column(&expected, form)) {
            let is_right = match said.strip_suffix('…') {
                Some(beginning) => beginning.len() > 350 && expected.starts_with(beginning),
                None => said == expected,
            };
            assert!(is_right, "{said}\n{expected}");
        }
    }
}
