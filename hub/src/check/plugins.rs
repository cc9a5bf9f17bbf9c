//! What is wrong with plugins, their files and their folders.

use std::path::Path;

use plugin_api::loader::LoadProblem;
use settings::{Configuration, HubSettings};

use super::{Finding, Kind};
use crate::catalogue::{Catalogue, CatalogueProblem};
use crate::report::short;
use crate::selection::Selection;

/// What of the plugin folders cannot be used.
pub(super) fn findings(
    selection: &Selection,
    configuration: &Configuration,
    catalogue: &Catalogue,
) -> Vec<Finding> {
    let mut findings: Vec<_> = catalogue.problems.iter().map(unusable).collect();
    let origin = configuration.origin(&["hub", "plugin_dirs"]);
    // Of the built-in folders, one may be missing: it is enough that a plugin lies in the other.
    let built_in = HubSettings::default().plugin_dirs;
    for folder in selection.plugin_folders(configuration) {
        if !folder.exists() && !built_in.contains(&folder) {
            let what = format_args!("plugin folder {} is not there", folder.display());
            let finding = Finding::warning(Kind::PluginFolder, what, "create it, or name another one");
            let is_typed = selection.plugin_dirs.contains(&folder);
            findings.push(if is_typed { finding } else { finding.at(origin.clone()) });
        }
    }
    if catalogue.consumers.is_empty() {
        let folders = selection.plugin_folders(configuration);
        let searched: Vec<_> = folders.iter().map(|folder| Path::display(folder).to_string()).collect();
        let what = format_args!("no plugin was found in {}", searched.join(", "));
        let mend = "install one there, or name its folder in hub.plugin_dirs";
        findings.push(Finding::warning(Kind::NoPlugin, what, mend).at(origin));
    }
    findings
}

fn unusable(problem: &CatalogueProblem) -> Finding {
    let mend = match problem {
        CatalogueProblem::Folder { .. } => "let the user who runs the hub read it",
        CatalogueProblem::Load(error) => match error.problem() {
            LoadProblem::Unreadable(_) => {
                "let the user who runs the hub read it; a link may lead nowhere: install the plugin again"
            }
            LoadProblem::Incomplete { .. } => "install it again, with `install` or `mv`",
            _ => "put one in its place that is built for this hub, or remove it",
        },
        CatalogueProblem::SameName { first, second, .. } => {
            return Finding::error(
                Kind::Plugin,
                problem,
                format_args!("{} was found first, {} is the other", short(first), short(second)),
            );
        }
        CatalogueProblem::SameKey { .. } | CatalogueProblem::Key { .. } => {
            "remove it, or have its author give its consumer a key of its own, such as `myconsumer.enabled`"
        }
    };
    Finding::error(Kind::Plugin, problem, mend)
}
