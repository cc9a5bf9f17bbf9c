//! `fedmsg-hub check`: what is wrong, what mends it, and what would run.
//!
//! Each module looks at one thing and gives [`Finding`]s; this one has them all look. It changes nothing, and connects to
//! nothing but the control socket of the hub that runs on the same state directory, unless `--connect` says so.

mod addresses;
mod endpoints;
mod finding;
mod history;
mod listeners;
mod machine;
mod permissions;
mod plugins;
mod probe;
mod report;
pub mod trust;

use clap::Args;
use settings::{Configuration, Problems};

use self::endpoints::Answers;
pub use self::finding::{Finding, Kind, Severity};
use self::history::History;
pub use self::report::Report;
use crate::exit::Exit;
use crate::logging;
use crate::plan::Plan;
use crate::report::ENABLE;
use crate::selection::Selection;

/// Find what is wrong, say what mends it, and what would run.
///
/// Reads the configuration, loads every plugin, and looks at files, permissions, addresses, limits, clocks and the
/// journal. Changes nothing, and connects to nothing but the running hub's control socket unless --connect says so. Run
/// it as the user who runs the hub.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes:
  0   all is well, or there are warnings only
  11  there are warnings, with --strict
  else as the hub would end: 3 configuration, 4 plugin, 5 address, 7 state directory; 1 anything else

Examples:
  fedmsg-hub check --config /etc/fedmsg/hub.toml
  fedmsg-hub check --connect
  fedmsg-hub check --strict --json | jq -r '.findings[] | [.kind, .what] | @tsv'")]
pub struct Check {
    /// Connect to every endpoint for a moment, too, and see who answers.
    #[arg(long)]
    connect: bool,
    /// Let warnings fail, too: for the CI of a repository of configurations.
    #[arg(long)]
    strict: bool,
    /// Write one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Checks, says what was found, and gives the exit code.
    #[must_use]
    pub fn run(&self, selection: &Selection, configuration: Result<Configuration, Problems>) -> Exit {
        let mut report = Report::default();
        match configuration {
            Ok(configuration) => self.examine(selection, &configuration, &mut report),
            Err(problems) => report.findings.extend(refused(problems)),
        }
        report.findings.sort_by_key(|finding| finding.severity);
        // A reader that went away, as in `fedmsg-hub check | head`, is no failure of the check.
        drop(if self.json {
            report.write_json(&mut std::io::stdout().lock())
        } else {
            report.write(&mut anstream::stdout().lock())
        });
        report.exit(self.strict)
    }

    fn examine(&self, selection: &Selection, configuration: &Configuration, report: &mut Report) {
        // What plugins log while they are loaded.
        let log = logging::install(configuration);
        let catalogue = selection.catalogue(configuration);
        report.read(configuration, &catalogue);
        let (history, found) = History::look(configuration);
        let hub = history.hub.as_ref().map(|status| status.hub.pid);
        report.asked(hub);
        report.looked_for(permissions::hub_user(configuration));
        report.findings = plugins::findings(selection, configuration, &catalogue);
        report.findings.extend(log.as_ref().err().cloned().into_iter().flat_map(|it| refused(it.into())));
        report.findings.extend(permissions::findings(configuration, &catalogue));
        report.findings.extend(machine::findings(configuration));
        match selection.plan(configuration, &catalogue) {
            Ok(plan) => {
                report.findings.extend(planned(configuration, &plan));
                report.findings.extend(addresses::findings(configuration, &plan, hub));
                report.findings.extend(machine::limits(configuration, &plan));
                report.findings.extend(history.findings(configuration, &plan));
                let (answers, found) = if self.connect {
                    endpoints::connect(configuration, &plan, hub)
                } else {
                    (Answers::new(), Vec::new())
                };
                report.findings.extend(found);
                report.would_run(&plan, &answers);
            }
            Err(problems) => report.findings.extend(refused(problems)),
        }
        report.findings.extend(found);
    }
}

/// What keeps the hub from starting.
fn refused(problems: Problems) -> impl Iterator<Item = Finding> {
    problems.0.into_iter().map(|problem| {
        let what = if problem.key.is_empty() {
            problem.message
        } else {
            format!("{}: {}", problem.key, problem.message)
        };
        let mend =
            "the hub does not start with that: correct it; `man fedmsg-hub` and hub.toml have every key";
        Finding::error(Kind::Configuration, what, mend).at(problem.origin)
    })
}

/// What is wrong with trust, and with nobody at work.
fn planned(configuration: &Configuration, plan: &Plan) -> Vec<Finding> {
    let crypto = &configuration.settings().crypto;
    let user = permissions::hub_user(configuration);
    let mut findings = trust::certificates(crypto, plan.validates(), user);
    findings.extend(trust::signing_relay(crypto, plan, user));
    findings.extend(trust::policy(crypto, plan));
    let key = |kind| match kind {
        Kind::Authority => "ca_cert_location",
        Kind::SigningKey => "ssldir",
        _ => "routing_policy",
    };
    let at = |finding: Finding| {
        let origin = configuration.origin(&["crypto", key(finding.kind)]);
        finding.at(origin)
    };
    let mut findings: Vec<_> = findings.into_iter().map(at).collect();
    if plan.consumers.is_empty() {
        let what = "no consumer is enabled: this hub would do no work";
        findings.push(Finding::warning(Kind::NoConsumer, what, ENABLE));
    }
    findings
}
