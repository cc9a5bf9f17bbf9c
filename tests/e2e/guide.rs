//! The documentation, held against the programs: the walk-through is walked, its files written and its commands run
//! as they stand there; lists in the references are complete; links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use e2e::{Process, Scratch, Signal, binary, workspace};
use hub::consumer::options::ConsumerOptions;
use hub::outcome::{Dropped, Rejected};

/// A line `<!-- guide: … -->`, and the fenced block that follows it at once.
struct Step {
    what: String,
    block: String,
}

/// The steps of a guide. Each of its blocks belongs to one, so that nothing in it goes untested.
fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = markdown.lines();
    let mut fresh = false;
    while let Some(line) = lines.next() {
        if let Some(what) = line.strip_prefix("<!-- guide: ").and_then(|rest| rest.strip_suffix(" -->")) {
            steps.push(Step { what: what.to_owned(), block: String::new() });
            fresh = true;
        } else if line.starts_with("```") {
            assert!(std::mem::take(&mut fresh), "a block that is not tested, by {line:?}");
            let block = lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
            steps.last_mut().expect("it is fresh").block = block;
        }
    }
    steps
}

/// A person who follows the guide.
struct Reader {
    scratch: Scratch,
    /// What the last command printed.
    printed: String,
    hub: Option<Process>,
}

impl Reader {
    fn new() -> Self {
        let scratch = Scratch::new();
        let built = binary("fedmsg-hub").ancestors().nth(2).unwrap().join("guide");
        // What the guide builds stays there, so that only the first run takes long.
        fs::create_dir_all(&built).unwrap();
        std::os::unix::fs::symlink(built, scratch.join("target")).unwrap();
        Self { scratch, printed: String::new(), hub: None }
    }

    /// The guide's `../fedmsg-hub` is this workspace, and its release build is the build that is under test.
    fn here(text: &str) -> String {
        let built = binary("fedmsg-hub").parent().unwrap().display().to_string();
        text.replace("../fedmsg-hub/target/release", &built)
            .replace("../fedmsg-hub", &workspace().display().to_string())
    }

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &Self::here(script)]);
        // No configuration of this machine, no network, no other place to build in, nothing for a debugger.
        shell
            .env("FEDMSG_CONFIG", "hub.toml")
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("CARGO_TARGET_DIR");
        shell.env("CARGO_PROFILE_DEV_DEBUG", "0").env("NO_COLOR", "1").env_remove("NOTIFY_SOCKET");
        // The address may be another test's.
        shell.env("FEDMSG_HUB__HTTP__LISTEN", "");
        shell
    }

    fn follow(&mut self, Step { what, block }: &Step) {
        match what.split_once(' ').unwrap_or((what, "")) {
            ("file", name) => drop(self.scratch.write(name, &Self::here(block))),
            ("run", _) => {
                let done = Self::shell(block).current_dir(self.scratch.path()).output().unwrap();
                self.printed = [done.stdout, done.stderr].map(|out| String::from_utf8(out).unwrap()).concat();
                assert!(done.status.success(), "{block}\n{}", self.printed);
            }
            ("prints", _) => {
                for line in block.lines() {
                    assert!(self.printed.contains(line), "{line:?} is not in {}", self.printed);
                }
            }
            ("start", _) => {
                let mut command = Self::shell(&format!("exec {block}"));
                self.hub = Some(Process::start(&self.scratch, "hub", &mut command));
            }
            ("logs", _) => {
                for line in block.lines() {
                    self.hub.as_ref().expect("a started hub").stderr.wait_for(line);
                }
            }
            ("stop", _) => {
                let hub = self.hub.as_mut().expect("a started hub");
                hub.signal(Signal::INT);
                assert_eq!(hub.wait().code(), Some(0));
            }
            _ => panic!("no such step: {what}"),
        }
    }
}

#[test]
fn who_follows_the_walk_through_sees_a_plugin_of_his_own_get_a_message() {
    let steps = steps(&document("docs/guide/first-plugin.md"));
    assert!(steps.iter().any(|step| step.what == "stop"), "the guide has lost its end");
    let mut reader = Reader::new();
    steps.iter().for_each(|step| reader.follow(step));
}

#[test]
fn the_example_for_authors_passes_its_own_tests() {
    let first = steps(&document("docs/guide/first-plugin.md"));
    let manifest = first.iter().find(|step| step.what == "file Cargo.toml").unwrap();
    // Under a name of its own: both guides build in one folder.
    let block = manifest.block.replace("hello", "largecommits");
    let mut reader = Reader::new();
    reader.follow(&Step { what: manifest.what.clone(), block });
    steps(&document("docs/guide/plugins.md")).iter().for_each(|step| reader.follow(step));
    let test = "cp ../fedmsg-hub/Cargo.lock .\ncargo test";
    reader.follow(&Step { what: "run".to_owned(), block: test.to_owned() });
    assert!(reader.printed.contains("test result: ok. 3 passed"), "{}", reader.printed);
}

#[test]
fn the_reference_has_every_key_of_a_consumers_table() {
    // Without `..`, so that a new key does not compile until it is looked for, too.
    let ConsumerOptions {
        topics,
        validate_signatures,
        on_start_error,
        start,
        workers,
        ordering,
        batch,
        max_attempts,
        on_retry,
        retry_min,
        retry_max,
    } = ConsumerOptions::take(&mut serde_json::Map::new()).unwrap();
    assert_eq!(
        (topics, validate_signatures, batch, retry_min, retry_max.as_secs()),
        (None, None, None, Duration::from_millis(100), 60)
    );
    let word = |value: &dyn std::fmt::Debug| format!("`\"{}\"`", format!("{value:?}").to_lowercase());
    let reference = document("docs/reference/configuration.md");
    for (key, default) in [
        ("topics", "those of the plugin"),
        ("validate_signatures", "`crypto.validate_signatures`"),
        ("on_start_error", &word(&on_start_error)),
        ("start", &word(&start)),
        ("workers", &format!("`{workers}`")),
        ("ordering", &word(&ordering)),
        ("batch", "as many as take 20 ms"),
        ("max_attempts", &format!("`{max_attempts}`")),
        ("on_retry", &word(&on_retry)),
        ("retry_min", "`\"100ms\"`"),
        ("retry_max", "`\"1m\"`"),
    ] {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {key}"));
        assert_eq!(row.split('|').nth(3).unwrap().trim(), default, "{row}");
    }
}

#[test]
fn the_reference_has_every_exit_code_of_the_hub() {
    let reference = document("docs/reference/exit-codes.md");
    for line in hub::exit::HELP.lines().filter(|line| line.starts_with("  ")) {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        let row = format!("| {code} | {meaning} |");
        assert!(reference.contains(&row), "no row {row}");
    }
}

#[test]
fn the_guide_for_operators_has_every_reason_for_which_a_message_is_lost_or_distrusted() {
    let guide = document("docs/guide/operators.md");
    let rejected = Rejected::ALL.iter().map(|reason| reason.word());
    for word in rejected.chain(Dropped::ALL.iter().map(|reason| reason.word())) {
        assert!(guide.contains(&format!("| `{word}` |")), "no row for {word}");
    }
    let source = fs::read_to_string(workspace().join("crypto/src/verdict.rs")).unwrap();
    let (_, rules) = source.split_once("fn rule(&self)").unwrap();
    let rules: Vec<_> =
        rules.lines().filter_map(|line| line.split_once("=> \"")?.1.split('"').next()).collect();
    assert!(rules.len() > 20, "{rules:?}");
    let rows: Vec<_> = guide.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    for rule in rules.into_iter().chain(["unsigned"]) {
        assert!(rows.iter().any(|row| row.contains(&format!("`{rule}`"))), "no row for {rule}");
    }
}

#[test]
fn the_guide_for_operators_has_every_key_that_needs_a_restart() {
    let text = document("docs/guide/operators.md");
    let (_, rest) = text.split_once("What needs a restart is refused, by name: ").unwrap();
    let (said, _) = rest.split_once("\n\n").unwrap();
    let mut expected = Vec::new();
    fixed(&mut Vec::new(), &serde_json::to_value(settings::Settings::default()).unwrap(), &mut expected);
    let (zmq, others): (Vec<_>, Vec<_>) = expected.into_iter().partition(|key| key.starts_with("zmq."));
    assert!(!zmq.is_empty() && said.contains("all of `[zmq]`"));
    for key in &others {
        assert!(said.contains(&format!("`{key}`")), "{key}");
    }
    assert_eq!(said.matches('`').count() / 2, others.len() + 1, "a key too many: {said}");
}

fn fixed(path: &mut Vec<String>, value: &serde_json::Value, found: &mut Vec<String>) {
    if hub::diff::is_live(path) {
        return;
    }
    match value {
        serde_json::Value::Object(table) => {
            for (key, value) in table {
                path.push(key.clone());
                fixed(path, value, found);
                path.pop();
            }
        }
        _ => found.push(path.join(".")),
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for file in documents(workspace()) {
        let text = prose(&fs::read_to_string(&file).unwrap());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            let is_there = match anchor {
                "" => target.exists(),
                anchor => {
                    fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(&anchor.to_owned()))
                }
            };
            if !is_there {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn document(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown files of the repository.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(documents(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

/// The text without its code.
fn prose(markdown: &str) -> String {
    let blocks = markdown.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    blocks.split('`').step_by(2).collect()
}

/// The anchors of the headings, as forges make them.
fn anchors(markdown: &str) -> Vec<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
        .collect()
}
