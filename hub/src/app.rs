//! From the command line to an exit code.

use control::Client;
use settings::{Configuration, Problems};

use crate::cli::{Cli, Command};
use crate::command::Operate;
use crate::complaint::complain;
use crate::exit::Exit;
use crate::selection::Selection;
use crate::{command, daemon, logging, report};

/// Does what the command line says.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let Cli { selection, command } = cli;
    match (command, selection.configuration()) {
        // It tells in its own way what is wrong with the configuration.
        (Some(Command::Check(check)), configuration) => check.run(&selection, configuration),
        (Some(Command::Operate(command)), Err(problems)) => operate_anyway(&selection, &command, &problems),
        (_, Err(problems)) => refuse(&problems),
        (None | Some(Command::Run), Ok(configuration)) => start(&selection, configuration),
        (Some(Command::Operate(command)), Ok(configuration)) => {
            command::run(&command, &configuration.settings().hub.state_dir)
        }
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

/// A hub that runs can be asked whatever its files say by now: only where it is must be known.
fn operate_anyway(selection: &Selection, command: &Operate, problems: &Problems) -> Exit {
    let state_directory = selection.sources().state_dir();
    let exit = refuse(problems);
    if !matches!(Client::find(&state_directory), Ok(Some(_))) {
        return exit;
    }
    complain(&format_args!("goes on all the same: a hub runs at {}", state_directory.display()));
    command::run(command, &state_directory)
}

/// Says what is wrong with the configuration, on standard error: the log may not be set up yet.
fn refuse(problems: &Problems) -> Exit {
    complain(problems);
    Exit::Config
}
