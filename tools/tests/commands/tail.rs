use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::harness::{Bus, Finished, Lines, TAIL, feed, interrupt, publish};

const TOPIC: &str = "org.fedoraproject.dev.git.push";

const BODY: &str = r#"{"certificate":"LS0t","i":3,"msg":{"agent":"ralph","commit":{"message":"Fix it.\nIt didn't work when the name had a č in it, and it was never noticed until now.","stats":{"files":[{"path":"README","lines":12},{"path":"src/\ud83d\ude00.py","lines":1.50}],"total":null}},"z":[],"ok":true},"msg_id":"2026-d3a9","signature":"c2ln\n","timestamp":1795216482,"topic":"org.fedoraproject.dev.git.push","username":"root"}"#;

/// What the command prints of [`BODY`].
fn shown(form: &[&str]) -> String {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let child = bus.start_tail(&[&["-n", "1"], form].concat());
    publish(&mut outbound, TOPIC, BODY);
    Finished::wait(child).quietly()
}

/// What the Python `script` prints with [`BODY`] on its standard input.
fn python(script: &str) -> String {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONIOENCODING", "utf-8")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    feed(child.stdin.take().unwrap(), BODY.into());
    Finished::wait(child).quietly()
}

#[test]
fn a_message_is_printed_as_it_came() {
    assert_eq!(shown(&[]), format!("{BODY}\n"));
}

#[test]
fn the_pretty_form_is_pythons() {
    let python = python(
        "import json, pprint, sys, time
message = json.load(sys.stdin)
message['timestamp'] = time.ctime(message['timestamp'])
del message['signature'], message['certificate']
print('\\n' + pprint.pformat(message))",
    );
    assert_eq!(shown(&["--pretty"]), python);
}

#[test]
fn the_really_pretty_form_is_pythons_without_colours_in_a_pipe() {
    let python = python(
        "import json, sys
message = json.load(sys.stdin)
del message['signature'], message['certificate']
print('\\n' + json.dumps(message, indent=2))",
    );
    assert_eq!(shown(&["--really-pretty"]), python);
}

#[test]
fn colours_in_a_pipe_have_to_be_forced() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let arguments = ["-n", "1", "--really-pretty"];
    let child = bus.command(TAIL, &arguments).env("CLICOLOR_FORCE", "1").spawn().unwrap();
    publish(&mut outbound, TOPIC, BODY);
    assert!(Finished::wait(child).quietly().contains("\u{1b}["));
}

#[test]
fn colours_are_as_the_option_says() {
    assert!(shown(&["--really-pretty", "--color", "always"]).contains("\u{1b}["));
    assert!(!shown(&["--really-pretty", "--color", "never"]).contains("\u{1b}["));
}

#[test]
fn the_terse_form_is_pythons_line() {
    assert_eq!(shown(&["--terse"]), "\ngit.push --  \n");
}

#[test]
fn a_record_says_how_the_message_came() {
    let line = shown(&["--json"]);
    let expected = format!("\"endpoint\":\"relay_outbound\",\"topic\":\"{TOPIC}\",\"body\":{BODY}}}\n");
    assert!(line.starts_with("{\"received\":\"20") && line.ends_with(&expected), "{line}");
}

#[test]
fn gource_gets_who_did_something_to_what() {
    assert_eq!(shown(&["--gource"]), "1795216482|git|A|git/push\n");
}

#[test]
fn gource_reads_each_line() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let child = bus.start_tail(&["-n", "3", "--gource"]);
    for (topic, username) in
        [(TOPIC, "root"), ("org.fedoraproject.dev.logger.log", "č|b\\n9"), ("college.edit", "root")]
    {
        let body = format!(r#"{{"topic":"t","timestamp":1795216482,"username":"{username}","msg":{{}}}}"#);
        publish(&mut outbound, topic, &body);
    }
    let lines = Finished::wait(child).quietly();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    std::fs::write(bus.path().join("lines"), &lines).unwrap();
    let mut gource = Command::new("gource");
    gource.args(["--log-format", "custom", "--output-custom-log", "read", "lines"]).current_dir(bus.path());
    let gource = gource.output().unwrap_or_else(|error| panic!("gource: {error}; scripts/test installs it"));
    assert!(gource.status.success(), "{gource:?}");
    let read = std::fs::read_to_string(bus.path().join("read")).unwrap();
    // It writes paths from their root on.
    assert_eq!(read.replace("|A|/", "|A|"), lines);
}

#[test]
fn a_cow_says_what_no_shell_has_seen() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let path = bus.path().join("touched");
    let arguments = ["-n", "1", "--cowsay"];
    let mut command = bus.command(TAIL, &arguments);
    let child = command.env("PATH", std::env::var_os("PATH").unwrap()).spawn().unwrap();
    let body = format!(
        "{{\"topic\":\"t\",\"msg\":{{\"log\":\"$(touch {})\\\";\"}},\"username\":\"ralph\"}}",
        path.display()
    );
    publish(&mut outbound, "org.fedoraproject.dev.logger.log", &body);
    let said = Finished::wait(child).quietly();
    assert!(said.contains("(oo)") && said.contains("$(touch"), "{said}");
    assert!(!path.exists());
}

#[test]
fn only_what_concerns_these_users_is_printed() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let child = bus.start_tail(&["-n", "2", "--users", "ralph, toshio"]);
    for (n, username) in ["ralph", "lmacken", "toshio"].iter().enumerate() {
        let body = format!("{{\"topic\":\"{n}\",\"username\":\"{username}\"}}");
        publish(&mut outbound, "org.fedoraproject.dev.logger.log", &body);
    }
    let printed = Finished::wait(child).quietly();
    assert_eq!(
        printed,
        "{\"topic\":\"0\",\"username\":\"ralph\"}\n{\"topic\":\"2\",\"username\":\"toshio\"}\n"
    );
}

#[test]
fn a_query_prints_parts_as_python_does() {
    let query = "msg.commit.stats.files,msg.agent,msg.nothing,msg.z";
    let expected =
        "[{'path': 'README', 'lines': 12}, {'path': 'src/😀.py', 'lines': 1.5}], ralph, None, []\n";
    assert_eq!(shown(&["--query", query]), expected);
}

#[test]
fn only_topics_that_are_wanted_are_printed() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let arguments = ["--topic", "org.", "--include", "^((?!secret).)*$", "--exclude", "noise$", "-n", "2"];
    let child = bus.start_tail(&arguments);
    for (n, topic) in ["org.a", "com.a", "org.secret", "org.noise", "org.a_heartbeat"].iter().enumerate() {
        let body = format!("{{\"n\":{n}}}");
        if n == 0 {
            publish(&mut outbound, topic, &body);
        } else {
            bus::Publish::publish(&mut outbound, topic.as_bytes(), body.as_bytes()).unwrap();
        }
    }
    assert_eq!(Finished::wait(child).quietly(), "{\"n\":0}\n{\"n\":4}\n");
}

#[test]
fn a_malformed_message_is_noted_and_the_next_one_printed() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let child = bus.start_tail(&["-n", "1"]);
    publish(&mut outbound, TOPIC, "[]");
    publish(&mut outbound, TOPIC, "{}");
    let Finished { status, stdout, stderr } = Finished::wait(child);
    assert!(status.success());
    assert_eq!(stdout, "{}\n");
    assert!(
        stderr.contains(&format!("not printed: topic {TOPIC:?}: the body is not a JSON object")),
        "{stderr}"
    );
}

#[test]
fn an_endpoint_that_is_down_is_noted_and_the_others_are_heard() {
    let bus = Bus::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outbound = bus.address("relay_outbound");
    bus.configure(&format!("relay_outbound = \"{outbound}\"\ndead = \"tcp://127.0.0.1:{port}\"\n"));
    let mut outbound = bus.outbound();
    let child = bus.start_tail(&["-n", "1"]);
    publish(&mut outbound, TOPIC, "{}");
    let Finished { status, stdout, stderr } = Finished::wait(child);
    assert!(status.success());
    assert_eq!(stdout, "{}\n");
    assert!(stderr.contains("dead") && stderr.contains(&port.to_string()), "{stderr}");
}

#[test]
fn each_message_is_printed_at_once_and_ctrl_c_ends_it_without_a_word() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let mut child = bus.start_tail(&[]);
    let stdout = Lines::of(child.stdout.take().unwrap());
    for body in ["{\"n\":1}", "{\"n\":2}"] {
        publish(&mut outbound, TOPIC, body);
        assert_eq!(stdout.next(), body);
    }
    interrupt(&child);
    let finished = Finished::wait(child);
    assert_eq!((finished.status.signal(), &*finished.stderr), (Some(2), ""), "{finished:?}");
}

#[test]
fn it_ends_when_nobody_reads_any_more_be_there_messages_or_not() {
    let bus = Bus::new();
    let _outbound = bus.outbound();
    let mut child = bus.start_tail(&[]);
    drop(child.stdout.take());
    Finished::wait(child).quietly();
}

#[test]
fn what_cannot_be_understood_on_the_command_line_is_refused() {
    let bus = Bus::new();
    let stderr = bus.run(TAIL, &["--include", "(git"], b"").failed_with(2);
    assert!(stderr.contains("'(git' for '--include <REGEXP>'"), "{stderr}");
    let stderr = bus.run(TAIL, &["--pretty", "--query", "i"], b"").failed_with(2);
    assert!(stderr.contains("cannot be used with"), "{stderr}");
    let stderr = bus.run(TAIL, &["-n", "0"], b"").failed_with(2);
    assert!(stderr.contains("--count"), "{stderr}");
}

#[test]
fn the_relays_inbound_side_alone_is_nothing_to_listen_to() {
    let bus = Bus::new();
    bus.configure("relay_inbound = \"tcp://127.0.0.1:2003\"\n");
    let stderr = bus.run(TAIL, &[], b"").failed_with(3);
    assert!(stderr.contains("[endpoints] names nothing to listen to; add"), "{stderr}");
}
