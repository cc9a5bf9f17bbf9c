//! The real Python fedmsg, asked one question after another.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub(crate) struct Oracle {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a validator goes by, for both sides.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'r> {
    pub(crate) ca: PathBuf,
    pub(crate) crl: Option<PathBuf>,
    /// Topic and common names.
    pub(crate) policy: Vec<(&'r str, Vec<&'r str>)>,
    pub(crate) nitpicky: bool,
}

impl Rules<'_> {
    pub(crate) fn new(ca: PathBuf, crl: Option<PathBuf>) -> Self {
        Self { ca, crl, policy: Vec::new(), nitpicky: false }
    }
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let mut process = python("oracle.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let questions = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, questions, answers }
    }

    /// Why Python does not accept the message, if it doesn't.
    pub(crate) fn rejects(&mut self, topic: &str, body: &str, rules: &Rules<'_>) -> Option<String> {
        let policy: serde_json::Map<String, Value> =
            rules.policy.iter().map(|(topic, names)| ((*topic).to_owned(), json!(names))).collect();
        let answer = self.ask(&json!(["validate", topic, body, {
            "ca_cert_location": rules.ca,
            "crl_location": rules.crl,
            "routing_policy": policy,
            "routing_nitpicky": rules.nitpicky,
        }]));
        answer.as_str().map(str::to_owned)
    }

    /// The message as Python signs and sends it.
    pub(crate) fn sign(&mut self, body: &str, ssldir: &Path, certname: &str) -> String {
        self.ask(&json!(["sign", body, ssldir, certname])).as_str().unwrap().to_owned()
    }

    /// The message as Python's relay sends it on.
    pub(crate) fn relayed(&mut self, body: &str) -> String {
        self.ask(&json!(["relayed", body])).as_str().unwrap().to_owned()
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?} to {question}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Authorities and key pairs of every kind, made by Python.
pub(crate) fn make_pki(folder: &Path) {
    assert!(python("pki.py").arg(folder).status().unwrap().success());
}

/// A script beside this file, in the Python that `scripts/test` has put fedmsg into.
fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment =
        std::env::var_os("FEDMSG_TEST_PYTHON").map_or_else(|| here.join("../target/python"), PathBuf::from);
    let python = environment.join("bin/python");
    assert!(
        python.exists(),
        "{} has no Python fedmsg: run scripts/test, which installs it",
        environment.display()
    );
    let mut command = Command::new(python);
    command.args(["-W", "ignore"]).arg(here.join("tests/python").join(script));
    command
}
