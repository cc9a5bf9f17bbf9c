//! How many signed messages a second are verified, beside the real Python fedmsg and beside what OpenSSL's own
//! `openssl speed` verifies, round by round in turn: `cargo run --release -p crypto --example measure [ROUNDS]`.
//!
//! All is counted by processor time, as `openssl speed` does, so that a busy machine does little harm; only that of two
//! threads beside one goes by the clock. Ours go from the bytes of a body to the verdict. *Warm* is a bus in which the same certificates sign again and
//! again, *cold* one in which no certificate comes twice. The Python is that of `scripts/test`, or in
//! `FEDMSG_TEST_PYTHON`; it and `openssl` are left out if they aren't there.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crypto::{Development, RoutingPolicy, Signer, TrustFiles, Validator, make_development_ca};
use message::Envelope;
use rustix::time::{ClockId, clock_gettime};

const TOPIC: &str = "org.fedoraproject.prod.git.receive";
/// What each contestant has in a round.
const TURN: Duration = Duration::from_secs(2);
/// For so many certificates.
const COLD: u32 = 5_000;

fn main() {
    let rounds = std::env::args().nth(1).map_or(5, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let what = Development { names: &["shell"], ..Development::default() };
    let files = make_development_ca(folder.path(), &what).unwrap();
    let trust = TrustFiles { ca: files.ca, crl: Some(files.crl) };
    let signer = Signer::load(folder.path(), "shell").unwrap();
    for (size, text) in [("half a KiB, half of all messages are smaller", 380), ("1 KiB", 900)] {
        let summary = "x".repeat(text);
        let body = format!(
            r#"{{"topic":"{TOPIC}","msg":{{"commit":{{"summary":"{summary}","stats":{{"lines":3,"files":1}}}}}},"i":1,"timestamp":1795216482,"msg_id":"2026-6f1cf2b7-6a8a-4f9b-9b1c-0c2b8b7e5a11","username":"root"}}"#
        );
        let body = signer.sign(body.as_bytes()).unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, &body).unwrap();
        println!("\nmsg of {size}; the body {} bytes", body.len());
        let contestants: [(&str, &dyn Fn() -> Option<f64>); 4] = [
            ("openssl speed rsa2048", &openssl),
            ("warm", &|| Some(warm(&trust, &body))),
            ("cold", &|| Some(cold(&trust, &body))),
            ("Python fedmsg", &|| python(&path, &trust)),
        ];
        let mut rates = contestants.map(|_| Vec::new());
        let mut speedups = Vec::new();
        for _ in 0..rounds {
            for ((_, run), rates) in contestants.iter().zip(&mut rates) {
                rates.extend(run());
            }
            speedups.push(on_threads(&trust, &body, 2) / on_threads(&trust, &body, 1));
        }
        let limit = median(&rates[0]);
        for ((name, _), rates) in contestants.iter().zip(&rates) {
            match (median(rates), limit) {
                (Some(rate), Some(limit)) => println!("{name:24}{rate:>10.0}/s{:>8.3}", rate / limit),
                (Some(rate), None) => println!("{name:24}{rate:>10.0}/s"),
                (None, _) => println!("{name:24} not here"),
            }
        }
        println!("two threads do {:.2} times as much as one", median(&speedups).unwrap_or_default());
    }
}

fn median(rates: &[f64]) -> Option<f64> {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// The processor time that this thread has had.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn warm(trust: &TrustFiles, body: &[u8]) -> f64 {
    let validator = Validator::new(trust.clone(), RoutingPolicy::default());
    let began = spent();
    let mut count = 0;
    while spent() - began < TURN {
        for _ in 0..100 {
            verify(&validator, body);
        }
        count += 100;
    }
    f64::from(count) / (spent() - began).as_secs_f64()
}

fn on_threads(trust: &TrustFiles, body: &[u8], threads: usize) -> f64 {
    const EACH: usize = 20_000;
    let validator = Validator::new(trust.clone(), RoutingPolicy::default());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..EACH).for_each(|_| verify(&validator, body)));
        }
    });
    (EACH * threads) as f64 / began.elapsed().as_secs_f64()
}

/// The same certificate, but each time written otherwise, so that it can't be recognised.
fn cold(trust: &TrustFiles, body: &[u8]) -> f64 {
    let validator = Validator::new(trust.clone(), RoutingPolicy::default());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let others: Vec<String> = (0..COLD)
        .map(|n| body.replacen(r#""certificate":""#, &format!(r#""certificate":"{}"#, number(n)), 1))
        .collect();
    let began = spent();
    for other in &others {
        verify(&validator, other.as_bytes());
    }
    f64::from(COLD) / (spent() - began).as_secs_f64()
}

/// In characters that base64 passes over.
fn number(n: u32) -> String {
    (0..32).map(|bit| if n >> bit & 1 == 1 { '!' } else { '.' }).collect()
}

fn verify(validator: &Validator, body: &[u8]) {
    assert!(validator.validate(TOPIC, &Envelope::parse(body).unwrap()).is_valid());
}

fn openssl() -> Option<f64> {
    let seconds = TURN.as_secs().to_string();
    let output = Command::new("openssl").args(["speed", "-seconds", &seconds, "rsa2048"]).output().ok()?;
    // rsa 2048 bits 0.000394s 0.000019s   2540.5  51819.7
    String::from_utf8(output.stdout)
        .ok()?
        .lines()
        .find(|line| line.starts_with("rsa"))?
        .split(' ')
        .next_back()?
        .parse()
        .ok()
}

fn python(body: &Path, trust: &TrustFiles) -> Option<f64> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment =
        std::env::var_os("FEDMSG_TEST_PYTHON").map_or_else(|| here.join("../target/python"), PathBuf::from);
    let mut python = Command::new(environment.join("bin/python"));
    python.args(["-W", "ignore"]).arg(here.join("examples/measure.py")).arg(body).arg(&trust.ca);
    python.args(&trust.crl).arg(TURN.as_secs().to_string());
    String::from_utf8(python.output().ok()?.stdout).ok()?.trim().parse().ok()
}
