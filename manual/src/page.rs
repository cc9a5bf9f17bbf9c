//! One manual page: what clap knows of a command, and the sections that its `--help` ends with.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// For every command that reads the configuration.
const ENVIRONMENT: &str = "
  FEDMSG_CONFIG=PATH            one file, or folder of *.toml, that is read in place of those under FILES
  FEDMSG_HUB__TABLE__KEY=VALUE  one key of the configuration, such as FEDMSG_HUB__LOG__LEVEL=debug for log.level
  NO_COLOR                      if set, nothing is coloured";

/// For every command that reads the configuration.
const FILES: &str = "
  /etc/fedmsg/hub.toml      the configuration; what is read later wins
  /etc/fedmsg/hub.d/*.toml  likewise, by name
  ./hub.toml                likewise, in the current folder
  ./hub.d/*.toml            likewise, by name";

/// Where a command belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    /// It is a program.
    Program,
    /// It is part of the command that has this page.
    Within(&'p str),
    /// It is another name of this program, whose pages have the commands in it.
    NameOf(&'p str),
}

/// The page in roff.
pub(crate) fn render(command: &Command, place: Place) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).manual("fedmsg-hub");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() && !matches!(place, Place::NameOf(_)) {
        man.render_subcommands_section(&mut out)?;
    }
    let mut roff = Roff::default();
    for (heading, text) in sections(command, place) {
        roff.control("SH", [heading.as_str()]);
        match heading == "EXAMPLES" {
            true => literally(&mut roff, &text),
            false => terms(&mut roff, &text),
        }
    }
    out.write_all(roff.render().as_bytes())?;
    Ok(out)
}

/// The sections that clap does not make, in the order of manual pages.
fn sections(command: &Command, place: Place) -> Vec<(String, String)> {
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    let mut own: Vec<(String, String)> = Vec::new();
    for paragraph in help.map(ToString::to_string).unwrap_or_default().split("\n\n") {
        if let Some((heading, text)) = paragraph.split_once(":\n") {
            let heading = match heading {
                "Exit codes" => "EXIT STATUS".to_owned(),
                "Example" => "EXAMPLES".to_owned(),
                other => other.to_uppercase(),
            };
            own.push((heading, text.to_owned()));
        }
    }
    let configured = command.get_arguments().any(|argument| argument.get_id() == "config");
    for (heading, common) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        match own.iter_mut().find(|(name, _)| name == heading) {
            _ if !configured => {}
            Some((_, text)) => text.push_str(common),
            None => own.push((heading.to_owned(), common.to_owned())),
        }
    }
    let others = match place {
        Place::Program => None,
        Place::Within(parent) => {
            let program = parent.split('-').take(2).collect::<Vec<_>>().join("-");
            Some(format!("  {parent}(1)  for more; {program}(1) has the exit status"))
        }
        Place::NameOf(program) => {
            Some(format!("  {program}(1)  for the commands, which have pages under that name"))
        }
    };
    own.extend(others.map(|others| ("SEE ALSO".to_owned(), others)));
    let order = ["EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES", "EXAMPLES"];
    own.sort_by_key(|(heading, _)| order.iter().position(|known| known == heading).unwrap_or(order.len()));
    own
}

/// Lines that stay as they are.
fn literally(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
}

/// Lines of a term and, two spaces or more behind it, what it means. Those indented deeper go on with it.
fn terms(roff: &mut Roff, text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let line = line.strip_prefix("  ").unwrap_or(line);
        match line.split_once("  ") {
            Some((term, meaning)) if !term.is_empty() => {
                roff.control("TP", []);
                roff.text([bold(term)]);
                roff.text([roman(meaning.trim_start())]);
            }
            _ => drop(roff.text([roman(line.trim_start())])),
        }
    }
}
