use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Bus, Lines, REPLAY};

/// A message as datagrepper answers it: with a float for a time, and fields of its own.
const KEPT: &str = r#"{"i": 3, "msg": {"z": [1.50, 1e16], "a": "snöwman"}, "msg_id": "2014-a b&c", "timestamp": 1401234567.0,
 "topic": "org.fedoraproject.prod.git.receive.end", "username": "apache", "certificate": "LS0t", "signature": "c2ln",
 "source_name": "datanommer", "source_version": "0.6.4", "headers": {}}"#;

/// A real HTTP server with one message, of Python's standard library.
struct Datagrepper {
    server: Child,
    url: String,
}

impl Datagrepper {
    fn serve(folder: &Path) -> Self {
        fs::write(folder.join("kept.json"), KEPT).unwrap();
        let script = "
import http.server, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        ids = urllib.parse.parse_qs(url.query).get('id')
        found = url.path == '/datagrepper/id' and ids in (['2014-a b&c'], ['garbage'], ['empty'])
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            other = {'garbage': b'<html>', 'empty': b'{\"topic\": \"org.fedoraproject.prod.git.receive\"}'}
            self.wfile.write(other.get(ids[0]) or open('kept.json', 'rb').read())
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()";
        let mut python = Command::new("python3");
        python.args(["-c", script]).current_dir(folder).stdout(Stdio::piped());
        let mut server = python.spawn().unwrap();
        let port = Lines::of(server.stdout.take().unwrap()).next();
        Self { server, url: format!("http://127.0.0.1:{port}/datagrepper") }
    }
}

impl Drop for Datagrepper {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[test]
fn a_message_of_the_past_is_published_as_one_of_here() {
    let bus = Bus::new();
    let relay = bus.relay();
    let datagrepper = Datagrepper::serve(bus.path());
    let arguments = ["--msg-id", "2014-a b&c", "--datagrepper-url", &datagrepper.url];
    let said = bus.run(REPLAY, &arguments, b"").quietly();
    assert_eq!(said, "Retrieving '2014-a b&c'\nBroadcasting '2014-a b&c'\nOK.\n");
    let (topic, body) = relay.receive();
    assert_eq!(topic, "org.fedoraproject.dev.git.receive.end");
    assert!(body.starts_with(r#"{"i":1,"msg":{"a":"sn\u00f6wman","z":[1.5,1e+16]},"msg_id":"20"#), "{body}");
    assert!(
        body.ends_with(r#","topic":"org.fedoraproject.dev.git.receive.end","username":"tester"}"#),
        "{body}"
    );
    for gone in ["2014-a", "1401234567", "certificate", "signature", "source_", "headers"] {
        assert!(!body.contains(gone), "{gone} in {body}");
    }
}

#[test]
fn what_datagrepper_does_not_have_is_exit_code_2() {
    let bus = Bus::new();
    let datagrepper = Datagrepper::serve(bus.path());
    let arguments = ["--msg-id", "it's", "--datagrepper-url", &datagrepper.url];
    let stderr = bus.run(REPLAY, &arguments, b"").failed_with(2);
    assert_eq!(stderr, "fedmsg-dg-replay: datagrepper request of \"it's\" failed. Status: 404\n");
}

#[test]
fn without_an_id_a_server_or_a_message_it_is_exit_code_1() {
    let bus = Bus::new();
    let datagrepper = Datagrepper::serve(bus.path());
    assert!(bus.run(REPLAY, &[], b"").failed_with(1).contains("--msg-id is required"));
    let garbage = ["--msg-id", "garbage", "--datagrepper-url", &datagrepper.url];
    let stderr = bus.run(REPLAY, &garbage, b"").failed_with(1);
    assert!(stderr.contains("did not answer with a message"), "{stderr}");
    let url = datagrepper.url.clone();
    drop(datagrepper);
    let stderr = bus.run(REPLAY, &["--msg-id", "x", "--datagrepper-url", &url], b"").failed_with(1);
    assert!(stderr.contains("look at --datagrepper-url"), "{stderr}");
}

#[test]
fn an_answer_that_says_nothing_or_too_much_is_not_published() {
    let bus = Bus::new();
    let relay = bus.relay();
    let datagrepper = Datagrepper::serve(bus.path());
    let replay = |arguments: &[&str]| {
        bus.run(REPLAY, &[&["--datagrepper-url", &datagrepper.url], arguments].concat(), b"")
    };
    let stderr = replay(&["--msg-id", "empty"]).failed_with(1);
    assert!(stderr.contains("answered with a message that has no `msg`"), "{stderr}");
    let stderr = replay(&["--msg-id", "2014-a b&c", "--set", "hub.max_body_bytes=100"]).failed_with(2);
    assert!(stderr.contains("answered with more than 200 bytes; see hub.max_body_bytes"), "{stderr}");
    replay(&["--msg-id", "2014-a b&c"]).quietly();
    assert!(relay.receive().1.contains("sn\\u00f6wman"));
}
