//! `fedmsg-certs`: an authority, key pairs and a revocation list, to try signatures out with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use crypto::{
    CertNames, Development, DevelopmentFiles, hostname, make_development_ca, revoke_development_certificates,
};
use settings::SIGNING_RELAY;

use crate::process::{Failure, say};

/// The command's name.
pub const NAME: &str = "fedmsg-certs";

const HELP: &str = "\
Examples:
  fedmsg-certs pki > hub.d/crypto.toml
  fedmsg-certs pki --service bodhi --service koji --host app01.example.org --host app02.example.org
  fedmsg-certs pki --revoke shell-app01.example.org

Exit codes:
  0  the files are made, or the certificates revoked
  1  failed, or files are there already; the error says why
  2  wrong command line; a name that cannot be that of a key pair, or hosts that certnames cannot tell apart, too";

/// Makes certificates to try signatures out with.
///
/// Writes an authority (ca.crt, ca.key), its revocation list (crl.pem) and for each service on each host a key pair
/// (SERVICE-HOST.crt, SERVICE-HOST.key) into a folder, and prints the table [crypto] that goes with them.
///
/// For development: whoever can read the folder can sign anything. In production, keep the authority's key elsewhere.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// Where to write; made if it is not there.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Make a key pair for this service, the `cert_prefix` it signs as; may be repeated. `signing_relay` is on no host.
    #[arg(long = "service", value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), default_values = ["shell", "fedmsg-hub", SIGNING_RELAY])]
    pub services: Vec<String>,
    /// The services' host; may be repeated. [default: this one]
    #[arg(long = "host", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub hosts: Vec<String>,
    /// For how many days all of it is valid. With 0 it has expired already.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub days: u32,
    /// Replace what is there, the authority too: nothing that an earlier one has signed counts any more.
    #[arg(long)]
    pub overwrite: bool,
    /// Make nothing; put this certificate of FOLDER on its revocation list, too. May be repeated.
    #[arg(
        long = "revoke", value_name = "CERTIFICATE",
        conflicts_with_all = ["services", "hosts", "days", "overwrite"]
    )]
    pub revoked: Vec<String>,
}

/// Makes, or revokes, what the options say.
///
/// # Errors
/// [`Failure`]. Files that are there are not touched unless the options say so.
pub fn run(options: &Cli) -> Result<(), Failure> {
    if !options.revoked.is_empty() {
        let revoked: Vec<&str> = options.revoked.iter().map(String::as_str).collect();
        let list = revoke_development_certificates(&options.folder, &revoked)?;
        say(NAME, &format_args!("revoked in {}: {}", list.display(), revoked.join(", ")));
        return Ok(());
    }
    let pairs = pairs(&options.services, &options.hosts)?;
    let names: Vec<&str> = pairs.iter().map(|pair| pair.name.as_str()).collect();
    let what = Development {
        names: &names,
        days: options.days,
        overwrite: options.overwrite,
        ..Development::default()
    };
    let folder = std::path::absolute(&options.folder).map_err(Failure::stream("find the folder"))?;
    let files = make_development_ca(&folder, &what)?;
    let table = table(&folder, &files, &pairs);
    io::stdout().write_all(table.as_bytes()).map_err(Failure::stream("write to standard output"))
}

/// A key pair to be made.
#[derive(PartialEq, Eq)]
struct Pair {
    /// Under which `certnames` has it.
    key: String,
    /// Its common name and file name.
    name: String,
}

/// Each once, however often it is asked for.
fn pairs(services: &[String], hosts: &[String]) -> Result<Vec<Pair>, Failure> {
    let here = [hostname()];
    let hosts = if hosts.is_empty() { &here } else { hosts };
    let mut pairs: Vec<Pair> = Vec::new();
    for service in services {
        for host in hosts {
            let pair = match service.as_str() {
                SIGNING_RELAY => Pair { key: service.clone(), name: service.clone() },
                service => Pair { key: CertNames::key(service, host), name: format!("{service}-{host}") },
            };
            match pairs.iter().find(|other| other.key == pair.key) {
                Some(other) if *other == pair => {}
                Some(Pair { key, name }) => {
                    let (key, first) = (key.clone(), name.clone());
                    return Err(Failure::SameKey { key, first, second: pair.name });
                }
                None => pairs.push(pair),
            }
        }
    }
    Ok(pairs)
}

/// The table for hub.toml.
fn table(folder: &Path, files: &DevelopmentFiles, pairs: &[Pair]) -> String {
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let example = pairs.first().map(|pair| quoted(&pair.name)).unwrap_or_default();
    let mut table = format!(
        "\
# For development: whoever can read this folder can sign anything.
[crypto]
validate_signatures = true
ca_cert_location = {}
crl_location = {}
sign_messages = true
ssldir = {}

# Who may send what, for example:
[crypto.routing_policy]
# \"org.fedoraproject.dev.logger.*\" = [{example}]

# Who signs with what: for each service and host, NAME for NAME.crt and NAME.key.
[crypto.certnames]
",
        path(&files.ca),
        path(&files.crl),
        path(folder),
    );
    table.extend(pairs.iter().map(|Pair { key, name }| format!("{} = {}\n", quoted(key), quoted(name))));
    table
}

/// TOML's basic strings are escaped as JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
