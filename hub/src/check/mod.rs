//! `fedmsg-hub check`: says what would run, and what is wrong.

mod finding;
pub mod trust;

use std::io::{self, Write};

use settings::Configuration;

pub use self::finding::{Finding, Severity};
use crate::catalogue::Catalogue;
use crate::plan::Plan;
use crate::report::{ENABLE, short, topics};

/// What somebody has to see to, though the hub would start.
#[must_use]
pub fn findings(configuration: &Configuration, plan: &Plan) -> Vec<Finding> {
    let crypto = &configuration.settings().crypto;
    let mut findings = trust::certificates(crypto, plan.validates());
    findings.extend(trust::policy(crypto, plan));
    if plan.consumers.is_empty() {
        findings.push(Finding::warning("no consumer is enabled: this hub would do no work", ENABLE));
    }
    findings
}

/// Writes what is installed and what would run.
///
/// # Errors
/// Writing.
pub fn describe(
    out: &mut impl Write,
    configuration: &Configuration,
    catalogue: &Catalogue,
    plan: &Plan,
) -> io::Result<()> {
    let files: Vec<_> = configuration.files().map(short).collect();
    writeln!(
        out,
        "configuration: {}",
        if files.is_empty() { "built-in defaults".to_owned() } else { files.join(", ") }
    )?;
    writeln!(out, "consumers:")?;
    for installed in catalogue.consumers.values() {
        let planned = plan.consumers.iter().find(|planned| planned.installed.name == installed.name);
        let (state, more) = match planned {
            Some(planned) => {
                let inbound = planned.inbound.iter().map(|name| format!(" inbound {name}"));
                ("on ", format!("topics [{}]{}", topics(&planned.topics), inbound.collect::<String>()))
            }
            None => ("off", format!("switch on with {} = true", installed.key)),
        };
        writeln!(
            out,
            "  {state} {:<20} {more}  ({} {})",
            installed.name,
            short(&installed.library),
            installed.version
        )?;
    }
    if catalogue.consumers.is_empty() {
        writeln!(out, "  none installed")?;
    }
    writeln!(out, "endpoints:")?;
    let bound = plan.inbound.iter().map(|endpoint| ("bind     ", endpoint));
    for (what, endpoint) in bound.chain(plan.subscribed.iter().map(|endpoint| ("subscribe", endpoint))) {
        let addresses: Vec<_> = endpoint.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "  {what} {:<20} {}", endpoint.name, addresses.join(" "))?;
    }
    Ok(())
}
