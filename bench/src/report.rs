//! What all runs together say: a table of the scenarios, what is asked of the hub and whether it is reached, and all
//! figures as JSON.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::claim::{self, Claim};
use crate::measure::{Latency, Run};
use crate::scenario::Scenario;

/// Above this, in percent of the machine, figures are to be doubted.
const QUIET: f64 = 5.0;

/// All runs so far.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    commit: String,
    scenarios: Vec<Measured>,
}

/// A scenario and its runs, one a round.
#[derive(Serialize)]
pub(crate) struct Measured {
    #[serde(flatten)]
    pub(crate) scenario: Scenario,
    pub(crate) runs: Vec<Run>,
}

/// The median of some values, and between which they lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            odd if odd % 2 == 1 => values[half],
            _ => f64::midpoint(values[half - 1], values[half]),
        };
        Some(Self { median, min: values[0], max: values[values.len() - 1] })
    }
}

impl Measured {
    /// Over the runs, a figure that not every scenario has.
    pub(crate) fn spread(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(figure))
    }
}

impl Report {
    pub(crate) fn new(machine: String, commit: String) -> Self {
        Self { machine, commit, scenarios: Vec::new() }
    }

    /// Adds a run of a scenario.
    pub(crate) fn add(&mut self, scenario: &Scenario, run: Run) {
        match self.scenarios.iter_mut().find(|it| it.scenario == *scenario) {
            Some(known) => known.runs.push(run),
            None => self.scenarios.push(Measured { scenario: scenario.clone(), runs: vec![run] }),
        }
    }

    /// Writes everything as JSON.
    pub(crate) fn write(&self, path: &Path) {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            report: &'a Report,
            claims: Vec<Claim>,
        }
        let json = Json { report: self, claims: claim::all(&self.scenarios) };
        let text = serde_json::to_string_pretty(&json).expect("plain data");
        let folder = path.parent().expect("the path of a file");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(path, text + "\n"))
            .expect("room for the figures");
    }

    /// Scenarios in which others used the machine, too.
    fn disturbed(&self) -> Vec<String> {
        let disturbed = self.scenarios.iter().filter_map(|it| {
            let others = it.spread(|run| Some(run.foreign + run.stolen))?;
            (others.median > QUIET).then(|| format!("{} {:.0} %", it.scenario.name, others.median))
        });
        disturbed.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.machine, self.commit)?;
        let headings = ["messages/s", "least .. most", "us each", "MB peak", "p50/p99/max ms", "lost"];
        let [rate, range, us, peak, latency, lost] = headings;
        writeln!(f, "{:16}{rate:>12}{range:>22}{us:>9}{peak:>9}{latency:>22}{lost:>8}", "scenario")?;
        for measured in &self.scenarios {
            let Some(rate) = measured.spread(|run| Some(run.rate)) else { continue };
            let figure = |figure: fn(&Run) -> Option<f64>, digits: usize| {
                measured.spread(figure).map_or_else(String::new, |it| format!("{:.digits$}", it.median))
            };
            let ms =
                |part: fn(Latency) -> f64| measured.spread(|run| run.latency.map(part)).map(|it| it.median);
            let latency = match (ms(|it| it.p50), ms(|it| it.p99), ms(|it| it.max)) {
                (Some(p50), Some(p99), Some(max)) => format!("{p50:.2}/{p99:.2}/{max:.2}"),
                _ => String::new(),
            };
            let range = format!("{:.0} .. {:.0}", rate.min, rate.max);
            let lost: u64 = measured.runs.iter().map(|run| run.lost).sum();
            writeln!(
                f,
                "{:16}{:>12.0}{range:>22}{:>9}{:>9}{latency:>22}{lost:>8}",
                measured.scenario.name,
                rate.median,
                figure(|run| run.processor_us, 2),
                figure(|run| run.memory_peak, 0),
            )?;
        }
        writeln!(f, "\n{:52}{:>10}{:>10}{:>20}", "claim", "target", "median", "least .. most")?;
        for claim in claim::all(&self.scenarios) {
            writeln!(f, "{claim}")?;
        }
        let disturbed = self.disturbed();
        if !disturbed.is_empty() {
            writeln!(
                f,
                "\nThe machine was not quiet; others used, of all processors: {}",
                disturbed.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_one_or_between_the_two() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }
}
