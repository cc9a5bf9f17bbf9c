//! Every command is in the manual, its help is whole, and the examples there are understood.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command as Process;

use clap::Command;
use hub::preset::{PRESETS, Preset};
use serde_json::Value;

/// The commands for people; what other crates build is for developers.
const CRATES: [&str; 2] = ["hub", "tools"];

#[test]
fn every_program_that_is_installed_is_in_the_manual() {
    let metadata = Process::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let targets = packages
        .filter(|package| CRATES.contains(&package["name"].as_str().unwrap()))
        .flat_map(|package| package["targets"].as_array().unwrap());
    let mut expected: BTreeSet<String> = targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| target["name"].as_str().unwrap().to_owned())
        .collect();
    // Those that scripts/install makes links for.
    expected.extend(PRESETS.map(|preset| preset.name.to_owned()));
    let listed = manual::commands().iter().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(expected, listed);
}

#[test]
fn every_other_name_of_the_hub_is_installed_has_a_unit_and_is_removed_with_the_package() {
    let file = |path: &str| std::fs::read_to_string(format!("../{path}")).unwrap();
    let names = PRESETS.map(|preset| preset.name.strip_prefix("fedmsg-").unwrap()).join(" ");
    assert!(file("scripts/install").contains(&format!("for name in {names}; do")));
    assert!(file("dist/deb/prerm").contains(&format!("for unit in hub {names}; do")));
    for Preset { name, .. } in PRESETS {
        assert!(
            file(&format!("dist/systemd/{name}.service")).contains(&format!("ExecStart=/usr/bin/{name}\n"))
        );
    }
}

#[test]
fn every_commands_help_has_examples_and_exit_codes() {
    for mut command in manual::commands() {
        let help = command.render_long_help().to_string();
        for heading in ["\nExamples:\n", "\nExit codes:\n  0 "] {
            assert!(help.contains(heading), "{} has no {heading:?}", command.get_name());
        }
        command.build();
        for leaf in leaves(&command) {
            assert!(!examples(leaf).is_empty(), "{:?} has no example", leaf.get_bin_name());
        }
    }
}

#[test]
fn the_documents_have_every_command_and_every_exit_code() {
    let document = |path: &str| std::fs::read_to_string(format!("../docs/{path}")).unwrap();
    let (guide, reference) = (document("guide/commands.md"), document("reference/exit-codes.md"));
    let headings =
        |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    for command in manual::commands() {
        let name = command.get_name();
        let names = |heading: &String| heading.split([' ', ',']).any(|word| word == name);
        assert!(headings(&guide).iter().any(names), "the guide has no section {name}");
        let heading =
            headings(&reference).into_iter().find(names).unwrap_or_else(|| panic!("no exit codes: {name}"));
        let section = reference.split_once(&format!("\n{heading}\n")).unwrap().1;
        let section = section.split("\n## ").next().unwrap();
        let help = command.get_after_help().unwrap().to_string();
        for line in help.lines().skip_while(|line| *line != "Exit codes:").skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            let row = format!("| {code} | {} |", meaning.trim());
            assert!(section.contains(&row), "{}: no row {row}", command.get_name());
        }
    }
}

#[test]
fn every_example_is_understood_by_the_command_that_it_starts() {
    let commands = manual::commands();
    let mut tried = BTreeSet::new();
    for mut command in manual::commands() {
        command = command.disable_help_subcommand(true);
        command.build();
        for line in all_examples(&command) {
            assert!(line.len() <= 98, "the help breaks it: {line}");
            for arguments in started(&line) {
                let name = arguments.first().map(String::as_str).unwrap_or_default();
                if let Some(command) = commands.iter().find(|command| command.get_name() == name) {
                    let parsed = command.clone().try_get_matches_from(&arguments);
                    assert!(parsed.is_ok(), "{line}\n{}", parsed.unwrap_err());
                    tried.insert(name.to_owned());
                }
            }
        }
    }
    assert_eq!(tried.len(), commands.len(), "examples start only {tried:?}");
}

#[test]
fn every_command_line_in_the_guides_is_understood_by_the_command_that_it_starts() {
    let commands = manual::commands();
    let mut tried = BTreeSet::new();
    let guides = std::fs::read_dir("../docs/guide").unwrap().map(|guide| guide.unwrap().path());
    for path in guides.chain(["../README.md".into()]) {
        for line in blocks(&std::fs::read_to_string(&path).unwrap()) {
            // What commands print may be no line for a shell.
            for arguments in shlex::split(&line).map(|_| started(&line)).unwrap_or_default() {
                let arguments = arguments.iter().skip_while(|word| word.contains('=') || *word == "sudo");
                let arguments: Vec<&String> = arguments.collect();
                let name =
                    |command: &&Command| arguments.first().is_some_and(|word| *word == command.get_name());
                if let Some(command) = commands.iter().find(name) {
                    let parsed = command.clone().try_get_matches_from(&arguments);
                    assert!(parsed.is_ok(), "{}: {line}\n{}", path.display(), parsed.unwrap_err());
                    tried.insert(command.get_name().to_owned());
                }
            }
        }
    }
    for command in ["fedmsg-hub", "fedmsg-tail", "fedmsg-trigger", "fedmsg-gateway", "fedmsg-certs"] {
        assert!(tried.contains(command), "the guides start only {tried:?}");
    }
}

/// The lines of all fenced blocks, without the prompt, and without the ends that a backslash takes away.
fn blocks(markdown: &str) -> Vec<String> {
    let fenced = markdown.split("```").skip(1).step_by(2).map(|block| block.replace("\\\n", " "));
    let lines = |block: String| block.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let lines = fenced.flat_map(lines);
    lines.map(|line| line.strip_prefix("$ ").unwrap_or(&line).to_owned()).collect()
}

#[test]
fn the_files_are_where_systems_look_and_their_readers_take_them() {
    let share = tempfile::TempDir::new().unwrap();
    manual::write(share.path()).unwrap();
    for command in manual::commands() {
        let name = command.get_name();
        let path = |inner: String| share.path().join(inner);
        reads("mandoc", &["-T", "lint", "-W", "error"], &path(format!("man/man1/{name}.1")));
        reads("bash", &["-n"], &path(format!("bash-completion/completions/{name}")));
        reads("zsh", &["-n"], &path(format!("zsh/site-functions/_{name}")));
        reads("fish", &["-n"], &path(format!("fish/vendor_completions.d/{name}.fish")));
    }
    let spec = std::fs::read_to_string("../dist/rpm/fedmsg-hub.spec").unwrap();
    for place in
        ["man/man1/", "bash-completion/completions/", "zsh/site-functions/_", "fish/vendor_completions.d/"]
    {
        assert!(spec.contains(&format!("\n/usr/share/{place}fedmsg-*\n")), "the RPM lacks {place}");
    }
    let page = std::fs::read_to_string(share.path().join("man/man1/fedmsg-tail.1")).unwrap();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    let last = ["\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "EXAMPLES"];
    assert_eq!(headings[headings.len() - last.len()..], last);
    assert!(share.path().join("man/man1/fedmsg-hub-dlq-requeue.1").exists());
    let page = std::fs::read_to_string(share.path().join("man/man1/fedmsg-irc.1")).unwrap();
    for reference in page.match_indices("(1)").map(|(end, _)| page[..end].rsplit([' ', '\n']).next().unwrap())
    {
        assert!(reference.replace("\\", "").ends_with("fedmsg-hub"), "no such page: {reference}");
    }
}

fn reads(program: &str, arguments: &[&str], file: &Path) {
    let done = Process::new(program).args(arguments).arg(file).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"));
    assert!(done.status.success(), "{}: {done:?}", file.display());
}

/// The commands without commands in them.
fn leaves(command: &Command) -> Vec<&Command> {
    match command.get_subcommands().filter(|inner| inner.get_name() != "help").collect::<Vec<_>>() {
        inner if inner.is_empty() => vec![command],
        inner => inner.into_iter().flat_map(leaves).collect(),
    }
}

fn all_examples(command: &Command) -> Vec<String> {
    let mut all = examples(command);
    all.extend(command.get_subcommands().flat_map(all_examples));
    all
}

/// The lines under `Examples:`.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// The argument vectors of a line for a shell, without what is redirected.
fn started(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("no shell reads {line}"));
    words
        .split(|word| word == "|" || word == "&&")
        .map(|words| words.iter().take_while(|word| !word.contains(['>', '<'])).cloned().collect())
        .collect()
}
