//! Measures the hub beside a minimal C program and the Python fedmsg-hub. `scripts/bench` runs it;
//! `docs/reference/benchmarks.md` says what the figures mean.
//!
//! - `scenario`: what is measured
//! - `pool`: the messages that are sent
//! - `peer`: the programs of `bench/peer`
//! - `receiver`: what is measured, as a process
//! - `measure`: one run of a scenario
//! - `disk`: what the disk can do by itself
//! - `machine`: what Linux says of processes and of itself
//! - `claim`: what is asked of the hub
//! - `report`: the tables, the JSON
//!
//! As a part of the tests it stands on their harness, and ends with a message where something is not as it must be.
//! Speed is never an error.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "for tests"
)]

mod claim;
mod disk;
mod machine;
mod measure;
mod peer;
mod pool;
mod receiver;
mod report;
mod scenario;

use std::path::PathBuf;

use clap::Parser;

use crate::measure::Bench;
use crate::report::Report;
use crate::scenario::Scale;

/// Measures the hub beside a minimal C program on libzmq and the Python fedmsg-hub.
///
/// Every round runs each scenario once, so that what disturbs the machine disturbs all of them alike. Printed are
/// medians over the rounds.
#[derive(Parser)]
struct Arguments {
    /// How many rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Messages in each run; fewer where the receiver is known to be slow
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Only scenarios whose name contains this text; may be repeated
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// A smoke run, of no use as a measurement: one round of a few thousand messages
    #[arg(long)]
    quick: bool,
    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "target/bench/results.json")]
    json: PathBuf,
}

fn main() {
    let arguments = Arguments::parse();
    let (rounds, scale) = if arguments.quick {
        (1, Scale::quick())
    } else {
        (arguments.rounds, Scale::full(arguments.messages))
    };
    let mut scenarios = scenario::all(&scale);
    scenarios
        .retain(|it| arguments.only.is_empty() || arguments.only.iter().any(|text| it.name.contains(text)));
    let bench = Bench::prepare();
    let mut report = Report::new(bench.machine(), machine::commit());
    for round in 1..=rounds {
        for scenario in &scenarios {
            let run = bench.run(scenario);
            eprintln!("round {round} of {rounds}, {}: {run}", scenario.name);
            report.add(scenario, run);
        }
        // After each round, so that a long run that breaks off is not lost.
        report.write(&arguments.json);
    }
    println!("{report}");
    println!("The figures of each run: {}", arguments.json.display());
}
