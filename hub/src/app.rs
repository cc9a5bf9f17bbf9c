//! From the command line to an exit code.

use std::io::{self, Write};
use std::path::Path;

use settings::{Configuration, Problems};

use crate::check::Severity;
use crate::cli::{Cli, Command, Selection};
use crate::exit::Exit;
use crate::{check, command, daemon, logging, report};

/// Does what the command line says.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let Cli { selection, command } = cli;
    let configuration = match selection.configuration() {
        Ok(configuration) => configuration,
        Err(problems) => return refuse(&problems),
    };
    match command.unwrap_or(Command::Run) {
        Command::Run => start(&selection, configuration),
        Command::Check => examine(&selection, &configuration),
        Command::Operate(command) => command::run(&command, &configuration.settings().hub.state_dir),
    }
}

fn start(selection: &Selection, configuration: Configuration) -> Exit {
    let log = match logging::install(&configuration) {
        Ok(log) => log,
        Err(problem) => return refuse(&problem.into()),
    };
    let catalogue = selection.catalogue(&configuration);
    // A library that can't be used is no reason not to start: if it has a consumer that is switched on, the plan fails,
    // because nobody claims that consumer's table.
    for problem in &catalogue.problems {
        tracing::error!("{problem}");
    }
    match selection.plan(&configuration, &catalogue) {
        // Which of two consumers runs must not hang on the order of files.
        Ok(plan) if catalogue.problems.iter().any(|problem| problem.is_about(&plan)) => Exit::Plugin,
        Ok(plan) => {
            report::starting(&plan);
            let exit = daemon::run(selection, configuration, plan, &log);
            log.say_dropped();
            exit
        }
        Err(problems) => refuse(&problems),
    }
}

fn examine(selection: &Selection, configuration: &Configuration) -> Exit {
    let _log = match logging::install(configuration) {
        Ok(log) => log,
        Err(problem) => return refuse(&problem.into()),
    };
    let catalogue = selection.catalogue(configuration);
    let mut exit = Exit::Clean;
    for problem in &catalogue.problems {
        complain(problem);
        exit = Exit::Plugin;
    }
    match selection.plan(configuration, &catalogue) {
        Err(problems) => {
            exit = refuse(&problems);
        }
        Ok(plan) => {
            // A reader that went away, as in `fedmsg-hub check | head`, is no failure of the check.
            drop(check::describe(&mut anstream::stdout().lock(), configuration, &catalogue, &plan));
            for finding in check::findings(configuration, &plan) {
                complain(&finding);
                if finding.severity == Severity::Error && exit == Exit::Clean {
                    exit = Exit::Config;
                }
            }
        }
    }
    if catalogue.consumers.is_empty() {
        let folders = selection.plugin_folders(configuration);
        let searched: Vec<_> = folders.iter().map(|folder| Path::display(folder).to_string()).collect();
        complain(&format!("warning: no plugin was found in {}", searched.join(", ")));
    }
    exit
}

/// Says what is wrong with the configuration, on standard error: the log may not be set up yet.
fn refuse(problems: &Problems) -> Exit {
    complain(problems);
    Exit::Config
}

/// Says something to the person, on standard error.
pub(crate) fn complain(what: &dyn std::fmt::Display) {
    // Nobody is left to tell if standard error is closed.
    drop(writeln!(io::stderr(), "fedmsg-hub: {}", what.to_string().replace('\n', "\nfedmsg-hub: ")));
}
