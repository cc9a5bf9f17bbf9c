//! The files, in the places where the systems look for them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::{Shell, generate_to};
use hub::preset::PRESETS;

use crate::commands;
use crate::page::{self, Place};

/// A folder or file that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// Which.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

/// Writes all that there is under `share`, which has the layout of `/usr/share`.
///
/// # Errors
/// [`WriteError`]; what was written until then stays.
pub fn write(share: &Path) -> Result<(), WriteError> {
    let man = folder(share, "man/man1")?;
    let shells = [
        (Shell::Bash, folder(share, "bash-completion/completions")?),
        (Shell::Zsh, folder(share, "zsh/site-functions")?),
        (Shell::Fish, folder(share, "fish/vendor_completions.d")?),
    ];
    for mut command in commands() {
        for (shell, folder) in &shells {
            let name = command.get_name().to_owned();
            let written = generate_to(*shell, &mut command.clone(), name, folder);
            let path = written.map_err(|source| WriteError { path: folder.clone(), source })?;
            // Bash looks for a completion under the command's plain name.
            if *shell == Shell::Bash {
                let plain = path.with_extension("");
                fs::rename(&path, &plain).map_err(|source| WriteError { path: plain, source })?;
            }
        }
        command = command.disable_help_subcommand(true);
        command.build();
        match PRESETS.iter().any(|preset| preset.name == command.get_name()) {
            true => write_page(&command, Place::NameOf("fedmsg-hub"), &man)?,
            false => write_pages(&command, Place::Program, &man)?,
        }
    }
    Ok(())
}

/// The pages of a command and of all commands in it.
fn write_pages(command: &Command, place: Place, man: &Path) -> Result<(), WriteError> {
    write_page(command, place, man)?;
    command.get_subcommands().try_for_each(|inner| write_pages(inner, Place::Within(page_name(command)), man))
}

fn write_page(command: &Command, place: Place, man: &Path) -> Result<(), WriteError> {
    let path = man.join(format!("{}.1", page_name(command)));
    let written = page::render(command, place).and_then(|page| fs::write(&path, page));
    written.map_err(|source| WriteError { path, source })
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn folder(share: &Path, inner: &str) -> Result<PathBuf, WriteError> {
    let path = share.join(inner);
    match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(WriteError { path, source }),
    }
}
