//! From the command line to an exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use settings::{Configuration, Problems, Sources};

use crate::catalogue::Catalogue;
use crate::check::Severity;
use crate::cli::{Cli, Command, Selection};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::{check, command, daemon, logging, report};

/// Does what the command line says.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let Selection { config, assignments, plugin_dirs, with_consumers } = cli.selection;
    let configuration = match Configuration::load(&Sources::from_environment(config, assignments)) {
        Ok(configuration) => configuration,
        Err(problems) => return refuse(&problems),
    };
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => start(&configuration, plugin_dirs, with_consumers.as_deref()),
        Command::Check => examine(&configuration, plugin_dirs, with_consumers.as_deref()),
        Command::Operate(command) => command::run(&command, &configuration.settings().hub.state_dir),
    }
}

fn start(
    configuration: &Configuration,
    plugin_dirs: Vec<PathBuf>,
    with_consumers: Option<&[String]>,
) -> Exit {
    let log = match logging::install(configuration) {
        Ok(log) => log,
        Err(problem) => return refuse(&problem.into()),
    };
    let folders = folders(plugin_dirs, configuration);
    let catalogue = Catalogue::scan(folders.iter().map(PathBuf::as_path));
    // A library that can't be used is no reason not to start: if it has a consumer that is switched on, the plan fails,
    // because nobody claims that consumer's table.
    for problem in &catalogue.problems {
        tracing::error!("{problem}");
    }
    match Plan::new(configuration, &catalogue, with_consumers) {
        // Which of two consumers runs must not hang on the order of files.
        Ok(plan) if catalogue.problems.iter().any(|problem| problem.is_about(&plan)) => Exit::Plugin,
        Ok(plan) => {
            report::starting(&plan);
            let exit = daemon::run(&plan, configuration.settings(), &log.level());
            log.say_dropped();
            exit
        }
        Err(problems) => refuse(&problems),
    }
}

fn folders(first: Vec<PathBuf>, configuration: &Configuration) -> Vec<PathBuf> {
    let mut folders = first;
    for folder in &configuration.settings().hub.plugin_dirs {
        if !folders.contains(folder) {
            folders.push(folder.clone());
        }
    }
    folders
}

fn examine(
    configuration: &Configuration,
    plugin_dirs: Vec<PathBuf>,
    with_consumers: Option<&[String]>,
) -> Exit {
    let _log = match logging::install(configuration) {
        Ok(log) => log,
        Err(problem) => return refuse(&problem.into()),
    };
    let folders = folders(plugin_dirs, configuration);
    let catalogue = Catalogue::scan(folders.iter().map(PathBuf::as_path));
    let mut exit = Exit::Clean;
    for problem in &catalogue.problems {
        complain(problem);
        exit = Exit::Plugin;
    }
    match Plan::new(configuration, &catalogue, with_consumers) {
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
