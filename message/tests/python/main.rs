//! Compares this crate with the real Python, on generated cases: `python3` has to be there.
//!
//! `FEDMSG_TEST_SEED` repeats a run; a failure prints the seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod compose;
mod documents;
mod json;
mod patterns;

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Random numbers, with the seed to repeat them.
fn random() -> fastrand::Rng {
    let seed = match std::env::var("FEDMSG_TEST_SEED") {
        Ok(seed) => seed.parse().expect("FEDMSG_TEST_SEED should be an integer"),
        Err(_) => fastrand::u64(..),
    };
    println!("FEDMSG_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// What Python answers to the `question` (a function of `oracle.py`), case by case.
fn python<C: Serialize + Sync, A: DeserializeOwned>(question: &str, cases: &[C]) -> Vec<A> {
    let mut python = Command::new("python3")
        .args(["-W", "ignore", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/oracle.py"), question])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 should start");
    let mut stdin = BufWriter::new(python.stdin.take().expect("stdin is piped"));
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                writeln!(stdin, "{}", serde_json::to_string(case).unwrap()).expect("python3 should read on");
            }
            stdin.flush().expect("python3 should read on");
        });
        python.wait_with_output().unwrap()
    });
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<A> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), cases.len(), "python3 should answer every case");
    answers
}
