//! The options that every command has, and the configuration they lead to.

use std::path::PathBuf;

use clap::Args;
use settings::{Configuration, Settings, Sources};

use crate::Failure;

/// Where publishers reach a relay. What is there has not been published yet: nobody subscribes to it.
pub const RELAY_INBOUND: &str = "relay_inbound";

/// Where the configuration comes from; the same options as the hub's.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigurationOptions {
    /// Read this file, or the *.toml in this folder, too; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub config: Vec<PathBuf>,
    /// Set one key, over everything else; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub assignments: Vec<String>,
}

impl ConfigurationOptions {
    /// Reads the configuration that the hub would read.
    ///
    /// # Errors
    /// [`Failure::Configuration`], with all that is wrong.
    pub fn load(&self) -> Result<Settings, Failure> {
        let sources = Sources::from_environment(self.config.clone(), self.assignments.clone());
        Ok(Configuration::load(&sources)?.settings().clone())
    }
}
