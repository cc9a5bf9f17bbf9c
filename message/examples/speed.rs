#![forbid(unsafe_code)]
//! How long the work of the intake thread takes: `cargo run --release -p message --example speed [FILE]`.
//!
//! FILE has a message body a line; without it one body of 1 KiB is made up.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use message::{Envelope, Pattern, PatternSet, Router, json};

fn main() {
    for count in [10, 1_000, 100_000] {
        route(count);
    }
    let bodies: Vec<Vec<u8>> = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file).unwrap().split(|&b| b == b'\n').map(<[u8]>::to_vec).collect(),
        None => vec![made_up_body()],
    };
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).filter(|body| !body.is_empty()).collect();
    let kib = bodies.iter().map(|body| body.len()).sum::<usize>() as f64 / 1024.0;
    report("scan, per KiB", kib, || {
        for body in &bodies {
            black_box(Envelope::parse(body).unwrap());
        }
    });
    report("canonical form, per KiB", kib, || {
        for body in &bodies {
            black_box(json::canonical(std::str::from_utf8(body).unwrap()).unwrap());
        }
    });
}

fn route(patterns: usize) {
    let set: PatternSet<u32> = (0..patterns)
        .map(|n| match n % 4 {
            0 => format!("org.fedoraproject.prod.module{n}.*"),
            1 => format!("org.fedoraproject.*.package{n}.update"),
            2 => format!("*.copr.build{n}.*"),
            _ => format!("org.fedoraproject.prod.git.receive{n}"),
        })
        .map(|glob| Pattern::new(&glob))
        .zip(0..)
        .collect();
    let topics: Vec<String> =
        (0..100_000).map(|n| format!("org.fedoraproject.prod.module{n}.package.update")).collect();
    let mut router = Router::new(set);
    report(&format!("route, {patterns} patterns, new topic"), topics.len() as f64, || {
        for topic in &topics {
            black_box(router.route(topic.as_bytes()).unwrap());
        }
    });
    report(&format!("route, {patterns} patterns, known topic"), 100_000.0, || {
        for topic in topics[..200].iter().cycle().take(100_000) {
            black_box(router.route(topic.as_bytes()).unwrap());
        }
    });
}

/// Prints the shortest time of several runs, for each of `parts`.
fn report(what: &str, parts: f64, mut run: impl FnMut()) {
    let shortest = (0..20).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    let nanoseconds = shortest.min().unwrap_or_default().as_nanos() as f64;
    println!("{what}: {:.0} ns", nanoseconds / parts);
}

fn made_up_body() -> Vec<u8> {
    let files: Vec<String> =
        (0..12).map(|n| format!(r#""src/file{n}.c":{{"lines":{n},"deletions":0}}"#)).collect();
    format!(
        r#"{{"i":1,"msg":{{"commit":{{"message":"{}","stats":{{{}}}}}}},"msg_id":"2026-x","topic":"org.x"}}"#,
        "Some words of a message. ".repeat(18),
        files.join(",")
    )
    .into_bytes()
}
