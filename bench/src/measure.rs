//! One run of a scenario.

use std::fmt;
use std::time::{Duration, Instant};

use e2e::Scratch;
use serde::Serialize;

use crate::machine::{self, Times};
use crate::peer::Peers;
use crate::receiver::{Measurement, Receiver};
use crate::scenario::{Kind, Scenario, Shape};
use crate::{disk, pool};

/// How often a process's memory is looked at.
const SAMPLE: Duration = Duration::from_millis(100);

/// A run with fewer looks at its memory says nothing of its growth.
const ENOUGH: usize = 40;

/// What all runs share.
pub(crate) struct Bench {
    scratch: Scratch,
    peers: Peers,
}

/// What one run found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// Messages a second, from the first at any consumer to the last at any.
    pub(crate) rate: f64,
    /// Messages that did not come to some consumer in time.
    pub(crate) lost: u64,
    /// Processor time of the receiving process per message, in microseconds.
    pub(crate) processor_us: Option<f64>,
    /// The most memory that it had resident, in MB.
    pub(crate) memory_peak: Option<f64>,
    /// What it had while messages came, in MB, ten times a second.
    pub(crate) memory: Vec<f64>,
    /// From send to consume, in milliseconds; for paced scenarios.
    pub(crate) latency: Option<Latency>,
    /// Processor time of the machine that went to other programs, or was taken away by the hypervisor, in percent.
    pub(crate) foreign: f64,
    pub(crate) stolen: f64,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Bench {
    /// Builds what has to be built and writes the messages.
    pub(crate) fn prepare() -> Self {
        let scratch = Scratch::new();
        let peers = Peers::build(scratch.path());
        let bench = Self { scratch, peers };
        for shape in [Shape::Kib, Shape::Bus] {
            pool::write(shape, &bench.pool(shape)).expect("room for the messages");
        }
        bench
    }

    fn pool(&self, shape: Shape) -> std::path::PathBuf {
        self.scratch.join(&format!("{shape:?}.pool"))
    }

    /// What it runs on.
    pub(crate) fn machine(&self) -> String {
        machine::describe(self.scratch.path())
    }

    /// Runs a scenario once.
    pub(crate) fn run(&self, scenario: &Scenario) -> Run {
        let (before, started) = (Times::now(), Instant::now());
        let mut run = match scenario.receiver {
            Kind::Disk => self.disk(scenario),
            _ => self.receive(scenario),
        };
        let after = Times::now();
        let percent =
            |seconds: f64| 100.0 * seconds / started.elapsed().as_secs_f64() / machine::processors() as f64;
        run.foreign = percent(after.busy - before.busy - (after.ours - before.ours)).max(0.0);
        run.stolen = percent(after.stolen - before.stolen);
        run
    }

    fn disk(&self, scenario: &Scenario) -> Run {
        let bytes = pool::bytes(scenario.shape, scenario.messages);
        let seconds =
            disk::write(&self.scratch.join("disk"), bytes).expect("room for the messages").as_secs_f64();
        Run {
            rate: scenario.messages as f64 / seconds,
            lost: 0,
            processor_us: None,
            memory_peak: None,
            memory: Vec::new(),
            latency: None,
            foreign: 0.0,
            stolen: 0.0,
        }
    }

    fn receive(&self, scenario: &Scenario) -> Run {
        // Its own, so that no run finds what another left.
        let scratch = Scratch::new();
        let (messages, pool) = (scenario.messages, self.pool(scenario.shape));
        let (mut publisher, address) = self.peers.publisher(&scratch, &pool, messages, scenario.rate);
        let receiver = Receiver::start(scenario, &self.peers, &scratch, &address);
        publisher.stdout.wait_for("subscribed");

        let used_before = machine::processor_time(receiver.id());
        publisher.write("go\n");
        let (memory, complete) = watch(scenario, &receiver);
        let used = machine::processor_time(receiver.id()) - used_before;
        let memory_peak = machine::memory(receiver.id(), "VmHWM");
        if complete {
            publisher.wait();
        } else {
            drop(publisher);
        }
        let said = receiver.stop();
        let (first, last) = (said.iter().map(|it| it.first_us).min(), said.iter().map(|it| it.last_us).max());
        let seconds = (last.unwrap_or(0).saturating_sub(first.unwrap_or(0))) as f64 / 1e6;
        let counted = said.iter().map(|it| it.count).min().unwrap_or(0);
        Run {
            rate: counted.saturating_sub(1) as f64 / seconds,
            lost: messages.saturating_sub(counted),
            processor_us: Some(used * 1e6 / counted as f64),
            memory_peak,
            memory,
            latency: percentiles(said),
            foreign: 0.0,
            stolen: 0.0,
        }
    }
}

/// Waits until every consumer has all messages, or it takes much too long; the memory meanwhile, and whether they have.
fn watch(scenario: &Scenario, receiver: &Receiver) -> (Vec<f64>, bool) {
    let work = scenario.messages * scenario.consumers as u64;
    let deadline = Instant::now() + Duration::from_secs(60) + Duration::from_micros(50 * work);
    let mut memory = Vec::new();
    loop {
        let complete = |lines: &[String]| (lines.len() >= scenario.consumers).then_some(());
        if receiver.lines().wait_within(SAMPLE, complete).is_ok() {
            return (memory, true);
        }
        let Some(resident) = machine::memory(receiver.id(), "VmRSS") else {
            panic!("{} has ended; its log: {:#?}", scenario.name, receiver.log());
        };
        memory.push(resident);
        if Instant::now() > deadline {
            return (memory, false);
        }
    }
}

fn percentiles(said: Vec<Measurement>) -> Option<Latency> {
    let mut late: Vec<i64> = said.into_iter().flat_map(|it| it.late_us).collect();
    late.sort_unstable();
    let at = |part: usize| late.get((late.len() * part / 100).min(late.len() - 1)).map(|us| *us as f64 / 1e3);
    (!late.is_empty()).then_some(())?;
    Some(Latency { p50: at(50)?, p99: at(99)?, max: at(100)? })
}

impl Run {
    /// By how much its memory grew from the second quarter of the run to the last, in MB. `None` if it was too short.
    pub(crate) fn growth(&self) -> Option<f64> {
        let quarter = self.memory.len() / 4;
        let peak = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
        let growth = || peak(&self.memory[3 * quarter..]) - peak(&self.memory[quarter..2 * quarter]);
        (self.memory.len() >= ENOUGH).then(growth)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} messages/s", self.rate)?;
        if let Some(us) = self.processor_us {
            write!(f, ", {us:.2} us each")?;
        }
        if let Some(peak) = self.memory_peak {
            write!(f, ", {peak:.0} MB")?;
        }
        if let Some(Latency { p50, p99, max }) = self.latency {
            write!(f, ", p50 {p50:.2} p99 {p99:.2} max {max:.2} ms")?;
        }
        if self.lost > 0 {
            write!(f, ", {} LOST", self.lost)?;
        }
        write!(f, "; others had {:.0} %, the hypervisor {:.0} %", self.foreign, self.stolen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_consumers_together() {
        let said = |late: std::ops::Range<i64>| Measurement {
            count: 0,
            first_us: 0,
            last_us: 0,
            late_us: late.map(|it| it * 1000).collect(),
        };
        let Latency { p50, p99, max } = percentiles(vec![said(50..100), said(0..50)]).unwrap();
        assert_eq!((p50, p99, max), (50.0, 99.0, 99.0));
        assert!(percentiles(vec![said(0..0)]).is_none());
    }

    #[test]
    fn growth_is_what_comes_after_the_second_quarter() {
        let run = |memory: &[f64]| Run {
            rate: 0.0,
            lost: 0,
            processor_us: None,
            memory_peak: None,
            memory: memory.to_vec(),
            latency: None,
            foreign: 0.0,
            stolen: 0.0,
        };
        let quarters = |values: [f64; 4]| values.map(|value| [value; 10]).concat();
        assert_eq!(run(&quarters([1.0, 10.0, 10.0, 11.0])).growth(), Some(1.0));
        assert_eq!(run(&[1.0, 10.0, 10.0, 11.0]).growth(), None);
    }
}
