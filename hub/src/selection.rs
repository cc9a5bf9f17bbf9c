//! What the command line selects, and from there to what is to run: the same way for a start, a reload and `check`.

use std::path::PathBuf;

use clap::Args;
use settings::{Configuration, Origin, Problem, Problems, Sources};

use crate::catalogue::Catalogue;
use crate::logging;
use crate::plan::Plan;

/// Options that all of them share; operators' commands load no plugin.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub struct Selection {
    /// Read this file, or the *.toml in this folder, too; may be repeated.
    #[arg(long, value_name = "PATH", global = true)]
    pub config: Vec<PathBuf>,
    /// Set one key, over everything else; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub assignments: Vec<String>,
    /// Search this folder for plugins, before `hub.plugin_dirs`; may be repeated.
    #[arg(long = "plugin-dir", value_name = "DIR", global = true)]
    pub plugin_dirs: Vec<PathBuf>,
    /// Run these consumers only, whether or not the configuration enables them.
    #[arg(long, value_name = "NAME", value_delimiter = ',', global = true)]
    pub with_consumers: Option<Vec<String>>,
    /// Keys that the hub has under another name: see [`crate::preset`].
    #[arg(skip)]
    pub preset: Vec<String>,
}

impl Selection {
    /// Where the configuration comes from.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let presets = self.preset.clone();
        Sources { presets, ..Sources::from_environment(self.config.clone(), self.assignments.clone()) }
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn configuration(&self) -> Result<Configuration, Problems> {
        Configuration::load(&self.sources())
    }

    /// The folders that are searched for plugins.
    #[must_use]
    pub fn plugin_folders(&self, configuration: &Configuration) -> Vec<PathBuf> {
        let mut folders = self.plugin_dirs.clone();
        for folder in &configuration.settings().hub.plugin_dirs {
            if !folders.contains(folder) {
                folders.push(folder.clone());
            }
        }
        folders
    }

    /// What is installed.
    #[must_use]
    pub fn catalogue(&self, configuration: &Configuration) -> Catalogue {
        let folders = self.plugin_folders(configuration);
        Catalogue::scan(folders.iter().map(PathBuf::as_path))
    }

    /// What is to run.
    ///
    /// # Errors
    /// What does not fit.
    pub fn plan(&self, configuration: &Configuration, catalogue: &Catalogue) -> Result<Plan, Problems> {
        Plan::new(configuration, catalogue, self.with_consumers.as_deref())
    }

    /// All of it as it is now, for a hub that runs already. Libraries that cannot be used are named beside what follows
    /// from that.
    ///
    /// # Errors
    /// All that a start would be refused for.
    pub fn load(&self) -> Result<(Configuration, Plan), Problems> {
        let configuration = self.configuration()?;
        logging::filter(&configuration)?;
        let catalogue = self.catalogue(&configuration);
        for problem in &catalogue.problems {
            tracing::error!("{problem}");
        }
        let plan = self.plan(&configuration, &catalogue);
        let unusable = |problem: &dyn ToString| Problem {
            origin: Origin::Default,
            key: "hub.plugin_dirs".to_owned(),
            message: problem.to_string(),
        };
        match plan {
            Ok(plan) => {
                // Which of two consumers runs must not hang on the order of files.
                let doubtful: Vec<_> = catalogue
                    .problems
                    .iter()
                    .filter(|it| it.is_about(&plan))
                    .map(|it| unusable(it))
                    .collect();
                if doubtful.is_empty() { Ok((configuration, plan)) } else { Err(Problems(doubtful)) }
            }
            Err(mut problems) => {
                problems.0.extend(catalogue.problems.iter().map(|it| unusable(it)));
                Err(problems)
            }
        }
    }
}
