//! One line for each message.

use std::slice;

use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError};

use crate::record::{Config, Records};

pub(crate) struct Recorder(Records);

impl Consumer for Recorder {
    const NAME: &'static str = "recorder";
    const CONFIG_KEY: &'static str = "recorder.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self(Records::open(config)?))
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.0.dawdle(1);
        Ok(self.0.tell(slice::from_ref(message))?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use plugin_api::serde_json::{self, Value, json};
    use plugin_api::testing::Harness;

    use super::*;

    #[test]
    fn a_listening_test_gets_a_line_for_each_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let listener = UnixListener::bind(&path).unwrap();
        let mut recorder = Harness::<Recorder>::start(json!({"path": path})).unwrap();
        recorder.deliver("a.b", json!({"n": 1})).unwrap();
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["topic"], &line["msg"]["n"], &line["body"]),
            (&json!("a.b"), &json!(1), &Value::Null)
        );
    }

    #[test]
    fn a_file_is_appended_to_by_every_instance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut recorders =
            [1, 2].map(|_| Harness::<Recorder>::start(json!({"path": path, "bodies": true})).unwrap());
        recorders.iter_mut().for_each(|recorder| recorder.deliver("a.b", json!({})).unwrap());
        let lines = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines[0]["body"].as_str().unwrap().contains(r#""topic":"a.b""#));
        assert_eq!((lines.len(), &lines[0]["pid"]), (2, &json!(std::process::id())));
        assert_ne!(lines[0]["instance"], lines[1]["instance"]);
    }

    #[test]
    fn a_line_that_was_cut_off_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        for (before, after) in [("", ""), ("{}\n", "{}\n"), ("{}\n{\"top", "{}\n{\"top\n")] {
            fs::write(&path, before).unwrap();
            drop(Harness::<Recorder>::start(json!({"path": path})).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn a_delay_ends_when_its_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (path, until) = (folder.path().join("lines"), folder.path().join("until"));
        let config = json!({"path": path, "delay": "1000h", "until": until});
        let mut recorder = Harness::<Recorder>::start(config).unwrap();
        let delivery = thread::spawn(move || recorder.deliver("a.b", json!({})));
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        fs::write(&until, "").unwrap();
        delivery.join().unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
