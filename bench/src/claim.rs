//! What is asked of the hub, beside what was measured. Ratios are of runs of the same round, so that what disturbed one
//! has disturbed the other.

use std::fmt;

use serde::Serialize;

use crate::measure::Run;
use crate::report::{Measured, Spread};

/// A claim and how it stands.
#[derive(Serialize)]
pub(crate) struct Claim {
    what: String,
    /// None is asked of what is only of interest.
    target: Option<Target>,
    #[serde(flatten)]
    found: Spread,
    reached: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Claim {
    fn new(what: String, target: Option<Target>, found: Option<Spread>) -> Option<Self> {
        let found = found?;
        let reached = target.map(|target| match target {
            Target::AtLeast(least) => found.median >= least,
            Target::AtMost(most) => found.median <= most,
        });
        Some(Self { what, target, found, reached })
    }
}

/// All of which something was measured.
pub(crate) fn all(measured: &[Measured]) -> Vec<Claim> {
    let find = |name: String| measured.iter().find(|it| it.scenario.name == name);
    let mut claims = Vec::new();
    for shape in ["1k", "bus"] {
        let mut ratio = |what: &str, of: &str, to: &str, least: Option<f64>| {
            let found = find(format!("{of}-{shape}")).zip(find(format!("{to}-{shape}")));
            let found = found.and_then(|(of, to)| Spread::of(ratios(&of.runs, &to.runs)));
            claims.extend(Claim::new(format!("{what}, {shape}"), least.map(Target::AtLeast), found));
        };
        ratio("memory mode to C", "memory-1", "c", Some(0.8));
        ratio("durable mode to C", "durable-1", "c", None);
        ratio("durable mode to the disk alone", "durable-1", "disk", None);
        ratio("memory mode, ten consumers to one", "memory-10", "memory-1", Some(0.5));
        ratio("durable mode, ten consumers to one", "durable-10", "durable-1", Some(0.5));
        ratio("memory mode to Python", "memory-1", "python-1", None);
        ratio("memory mode to Python, ten consumers", "memory-10", "python-10", None);
        let sides = ["durable-1", "c", "disk"].map(|name| find(format!("{name}-{shape}")));
        if let [Some(durable), Some(c), Some(disk)] = sides {
            let most = c.runs.iter().zip(&disk.runs).map(|(c, disk)| disk.rate.min(c.rate / 2.0));
            let found = Spread::of(durable.runs.iter().zip(most).map(|(run, most)| run.rate / most));
            let what = format!("durable mode to half of C, or the disk if less, {shape}");
            claims.extend(Claim::new(what, Some(Target::AtLeast(1.0)), found));
        }
        for hub in ["memory-1", "durable-1", "memory-10", "durable-10"] {
            let mut most = |what: &str, most: f64, figure: fn(&Run) -> Option<f64>| {
                let found = find(format!("{hub}-{shape}")).and_then(|it| it.spread(figure));
                claims.extend(Claim::new(
                    format!("{hub}-{shape}, {what}"),
                    Some(Target::AtMost(most)),
                    found,
                ));
            };
            most("MB at most", 60.0, |run| run.memory_peak);
            most("MB more in the second half", 2.0, Run::growth);
        }
    }
    let p99 = find("memory-1-paced".to_owned()).and_then(|it| it.spread(|run| Some(run.latency?.p99)));
    claims.extend(Claim::new(
        "p99 at 10,000/s in memory mode, ms".to_owned(),
        Some(Target::AtMost(2.0)),
        p99,
    ));
    claims
}

fn ratios(of: &[Run], to: &[Run]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of.rate / to.rate).collect()
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.target {
            Some(Target::AtLeast(least)) => format!(">= {least:.2}"),
            Some(Target::AtMost(most)) => format!("<= {most:.2}"),
            None => String::new(),
        };
        let reached = match self.reached {
            Some(true) => "  reached",
            Some(false) => "  NOT REACHED",
            None => "",
        };
        let Spread { median, min, max } = self.found;
        let range = format!("{min:.2} .. {max:.2}");
        write!(f, "{:52}{target:>10}{median:>10.2}{range:>20}{reached}", self.what)
    }
}
