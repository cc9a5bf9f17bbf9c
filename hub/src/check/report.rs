//! What a check comes to, for people and as JSON: errors, then warnings, then what would run.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use rustix::process::geteuid;
use serde::Serialize;

use super::endpoints::Answers;
use super::{Finding, Severity};
use crate::catalogue::Catalogue;
use crate::exit::Exit;
use crate::plan::Plan;
use crate::report::{short, topic};
use settings::Configuration;

const HEADLINE: Style = Style::new().bold();

/// What a check comes to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What somebody has to see to, errors first.
    pub findings: Vec<Finding>,
    /// The files that were read, in order; none where they could not be.
    configuration: Vec<String>,
    /// The process of the hub that runs on the state directory, and was asked.
    running_hub: Option<u32>,
    /// The user whose hub was looked at, if another than who checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    hub_user: Option<u32>,
    /// Every consumer that is installed.
    consumers: Vec<Consumer>,
    /// Every endpoint that would be used; none if the hub would not start.
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Serialize)]
struct Consumer {
    name: String,
    /// It would run.
    enabled: bool,
    /// What switches it on.
    key: String,
    topics: Vec<String>,
    inbound: Vec<String>,
    plugin: String,
    version: String,
    api_version: String,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    name: String,
    /// Else it is subscribed to.
    bound: bool,
    addresses: Vec<Place>,
}

#[derive(Debug, Serialize)]
struct Place {
    address: String,
    /// What it has said, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<String>,
}

impl Report {
    /// Says which files were read, and what is installed.
    pub(super) fn read(&mut self, configuration: &Configuration, catalogue: &Catalogue) {
        self.configuration = configuration.files().map(short).collect();
        let consumers = catalogue.consumers.values().map(|installed| Consumer {
            name: installed.name.to_string(),
            enabled: false,
            key: installed.key.to_string(),
            topics: Vec::new(),
            inbound: Vec::new(),
            plugin: short(&installed.library),
            version: installed.version.clone(),
            api_version: installed.api_version.clone(),
        });
        self.consumers = consumers.collect();
    }

    /// Says what would run.
    pub(super) fn would_run(&mut self, plan: &Plan, answers: &Answers) {
        for consumer in &mut self.consumers {
            let planned = plan.consumers.iter().find(|planned| *planned.installed.name == *consumer.name);
            if let Some(planned) = planned {
                consumer.enabled = true;
                consumer.topics = planned.topics.iter().map(|pattern| topic(pattern).to_owned()).collect();
                consumer.inbound = planned.inbound.iter().map(ToString::to_string).collect();
            }
        }
        let endpoint = |bound: bool, endpoint: &bus::Endpoint| {
            let place = |address: &bus::Address| {
                let address = address.to_string();
                Place { answers: answers.get(&address).cloned(), address }
            };
            let addresses = endpoint.addresses.iter().map(place).collect();
            Endpoint { name: endpoint.name.to_string(), bound, addresses }
        };
        let bound = plan.inbound.iter().map(|it| endpoint(true, it));
        self.endpoints = bound.chain(plan.subscribed.iter().map(|it| endpoint(false, it))).collect();
    }

    /// Says that a hub runs, which was asked.
    pub(super) fn asked(&mut self, hub: Option<u32>) {
        self.running_hub = hub;
    }

    /// Says whose hub was looked at.
    pub(super) fn looked_for(&mut self, user: u32) {
        self.hub_user = Some(user).filter(|user| *user != geteuid().as_raw());
    }

    /// How the check ends: as the hub would for the first error, or, if `strict`, for warnings by a code of their own.
    #[must_use]
    pub fn exit(&self, strict: bool) -> Exit {
        let errors = || self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        match errors().map(|finding| finding.kind.exit()).min_by_key(|exit| rank(*exit)) {
            Some(exit) => exit,
            None if strict && !self.findings.is_empty() => Exit::Warned,
            None => Exit::Clean,
        }
    }

    /// Writes it as one line of JSON.
    ///
    /// # Errors
    /// Writing.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes it for people.
    ///
    /// # Errors
    /// Writing.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for finding in &self.findings {
            let colour = match finding.severity {
                Severity::Error => AnsiColor::Red,
                Severity::Warning => AnsiColor::Yellow,
            };
            let style = colour.on_default().bold();
            write!(out, "{style}{}:{style:#} ", finding.severity.word())?;
            if let Some(place) = &finding.place {
                write!(out, "{place}: ")?;
            }
            writeln!(out, "{}\n    {}", finding.what, finding.mend)?;
        }
        if !self.findings.is_empty() {
            writeln!(out)?;
        }
        let files = self.configuration.join(", ");
        let files = if files.is_empty() { "built-in defaults" } else { &files };
        writeln!(out, "{HEADLINE}configuration:{HEADLINE:#} {files}")?;
        if let Some(pid) = self.running_hub {
            writeln!(out, "{HEADLINE}hub:{HEADLINE:#} process {pid} runs here, and was asked")?;
        }
        if let Some(user) = self.hub_user {
            writeln!(
                out,
                "{HEADLINE}user:{HEADLINE:#} {user}, who has hub.state_dir: keys are to be that user's"
            )?;
        }
        writeln!(out, "{HEADLINE}consumers:{HEADLINE:#}")?;
        for Consumer { name, enabled, key, topics, inbound, plugin, version, api_version } in &self.consumers
        {
            let (state, more) = if *enabled {
                let inbound: String = inbound.iter().map(|name| format!(" inbound {name}")).collect();
                ("on ", format!("topics [{}]{inbound}", topics.join(" ")))
            } else {
                ("off", format!("switch on with {key} = true"))
            };
            writeln!(out, "  {state} {name:<20} {more}  ({plugin} {version}, plugin API {api_version})")?;
        }
        if self.consumers.is_empty() {
            writeln!(out, "  none installed")?;
        }
        if !self.endpoints.is_empty() {
            writeln!(out, "{HEADLINE}endpoints:{HEADLINE:#}")?;
        }
        for Endpoint { name, bound, addresses } in &self.endpoints {
            let what = if *bound { "bind     " } else { "subscribe" };
            let addresses = addresses.iter().map(|Place { address, answers }| match answers {
                Some(answers) => format!("{address} ({answers})"),
                None => address.clone(),
            });
            writeln!(out, "  {what} {name:<20} {}", addresses.collect::<Vec<_>>().join(" "))?;
        }
        out.flush()
    }
}

/// In this order the hub would meet them.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Config => 0,
        Exit::Plugin => 1,
        Exit::Address => 2,
        Exit::State => 3,
        _ => 4,
    }
}
