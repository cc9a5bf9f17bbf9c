//! Who may read and write what the hub relies on: its state directory, its configuration, its plugins and its keys.
//! Files are looked at, and never opened or made.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crypto::{CertNames, hostname};
use rustix::fs::{Access, access};
use rustix::process::geteuid;
use settings::{Configuration, Origin};

use super::{Finding, Kind};
use crate::catalogue::Catalogue;

const GROUP_OR_OTHERS: u32 = 0o077;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
/// Only their owners may rename or remove files in such a folder.
const STICKY: u32 = 0o1000;

/// What others may do that they should not, and the hub may not that it must.
pub(super) fn findings(configuration: &Configuration, catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = state_dir(configuration);
    findings.extend(secrets(configuration));
    findings.extend(keys(configuration));
    findings.extend(open_to_all(configuration, catalogue));
    findings
}

/// As whom the hub runs: who checks; where that is root, who may look after another's hub, the owner of its state directory.
pub(super) fn hub_user(configuration: &Configuration) -> u32 {
    let user = geteuid();
    let owner = || fs::metadata(&configuration.settings().hub.state_dir).map(|directory| directory.uid());
    if user.is_root() { owner().unwrap_or(0) } else { user.as_raw() }
}

fn state_dir(configuration: &Configuration) -> Vec<Finding> {
    let directory = &configuration.settings().hub.state_dir;
    let wrong = |why: &dyn std::fmt::Display, mend: &dyn std::fmt::Display| {
        let what = format_args!("hub.state_dir {}: {why}", directory.display());
        Finding::error(Kind::StateDir, what, mend).at(configuration.origin(&["hub", "state_dir"]))
    };
    let shown = directory.display();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return vec![wrong(&"is no folder", &"name a folder, or remove the file")],
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = directory.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("."));
            return may_write(above)
                .err()
                .into_iter()
                .map(|error| {
                    let why =
                        format!("is not there, and this user cannot make it in {}: {error}", above.display());
                    wrong(
                        &why,
                        &format_args!("mkdir -m 700 {shown}, and chown it to the user who runs the hub"),
                    )
                })
                .collect();
        }
        Err(error) => return vec![wrong(&error, &"look who may go through the folders that lead to it")],
    };
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    let mut findings = Vec::new();
    if let Err(error) = may_write(directory) {
        let why = format!("user {user} cannot write to it, which belongs to user {owner}: {error}");
        let mend =
            format!("check as the user who runs the hub (sudo -u '#{owner}' …), or chown -R it to that user");
        findings.push(wrong(&why, &mend));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        findings.push(wrong(
            &format_args!("anybody can write to it (mode {:04o})", metadata.mode() & 0o7777),
            &format_args!("chmod 700 {shown}"),
        ));
    }
    // What a command left there that was run as root shuts the hub out.
    let foreign = files(directory).into_iter().find(|(_, file)| file.uid() != owner);
    findings.extend(foreign.map(|(name, file)| {
        wrong(
            &format_args!("{name} in it belongs to user {}, and the folder to user {owner}", file.uid()),
            &format_args!("chown -R {owner} {shown}"),
        )
    }));
    findings
}

fn may_write(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}

/// What lies in a folder, as far as it can be seen.
fn files(folder: &Path) -> Vec<(String, Metadata)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.file_name().to_string_lossy().into_owned(), entry.metadata().ok()?)))
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

/// Keys with secrets in files that anybody can read; one finding for each file.
fn secrets(configuration: &Configuration) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for (key, origin) in configuration.secrets() {
        let Origin::File(file, _) = &origin else { continue };
        let is_open = fs::metadata(file).is_ok_and(|file| file.mode() & OTHERS_READ != 0);
        if is_open && told.insert(file.clone()) {
            let what = format_args!("{key} is a secret, and anybody can read the file");
            let mend = format!(
                "chmod o-r {}, and let the group of the user who runs the hub read it",
                file.display()
            );
            findings.push(Finding::warning(Kind::SecretExposed, what, mend).at(origin));
        }
    }
    findings
}

/// Private keys that others may read. Those that this host signs with are looked at with their certificates.
fn keys(configuration: &Configuration) -> Vec<Finding> {
    let crypto = &configuration.settings().crypto;
    let host = hostname();
    let pair = |service: &str| {
        let names = &crypto.certnames;
        names.get(service).or_else(|| names.get(&CertNames::key(service, &host)))
    };
    let ours: Vec<_> = crypto.services_here().filter_map(pair).map(|pair| format!("{pair}.key")).collect();
    let origin = configuration.origin(&["crypto", "ssldir"]);
    let exposed = files(&crypto.ssldir).into_iter().filter(|(name, file)| {
        name.ends_with(".key") && file.is_file() && file.mode() & GROUP_OR_OTHERS != 0 && !ours.contains(name)
    });
    exposed
        .map(|(name, file)| {
            let path = crypto.ssldir.join(name);
            let path = path.display();
            let what = format_args!(
                "{path} is a private key that others may read (mode {:04o})",
                file.mode() & 0o7777
            );
            let mend = format_args!("chmod 600 {path}, and get another pair from the authority");
            Finding::warning(Kind::SecretExposed, what, mend).at(origin.clone())
        })
        .collect()
}

/// Who can write there decides what the hub does.
fn open_to_all(configuration: &Configuration, catalogue: &Catalogue) -> Vec<Finding> {
    let settings = configuration.settings();
    let mut paths: BTreeSet<&Path> = configuration.files().collect();
    paths.extend(catalogue.consumers.values().map(|consumer| &*consumer.library));
    if settings.crypto.sign_messages || settings.crypto.validate_signatures {
        paths.insert(&settings.crypto.ssldir);
    }
    // Who can write to its folder can put another file in its place.
    let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let all = paths.union(&folders).filter(|path| !path.as_os_str().is_empty());
    let open = all.filter(|path| {
        fs::metadata(path).is_ok_and(|it| {
            let mode = it.permissions().mode();
            mode & OTHERS_WRITE != 0 && (mode & STICKY == 0 || !it.is_dir())
        })
    });
    open.map(|path| {
        let path = path.display();
        let what = format_args!("{path} can be written by anybody, who so decides what the hub does");
        Finding::error(Kind::OpenToAll, what, format_args!("chmod o-w {path}, and look what stands in it"))
    })
    .collect()
}
