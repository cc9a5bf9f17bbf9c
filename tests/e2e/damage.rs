//! A hub that finds its files damaged: it starts, delivers what was not hit, and names the rest.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use e2e::{Accepted, Hub, HubBuilder, Recorder, Scratch, TestPublisher, rounds, seed};
use fastrand::Rng;
use journal::Archive;
use serde_json::json;

const MESSAGES: u64 = 500;

/// The bytes before a segment's first message, and those of a message before its payload, as
/// `docs/reference/journal-format.md` says.
const FILE_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

fn hub(scratch: &Scratch) -> HubBuilder<'_> {
    Hub::builder(scratch).config("hub.drain_deadline = \"1m\"\njournal.segment_bytes = 65536")
}

/// Leaves a journal with messages, cursors, outcomes and a dead letter behind.
fn fill(scratch: &Scratch) {
    let (recorder, answering) =
        (Recorder::listen(scratch, "recorder"), Recorder::listen(scratch, "answering"));
    let mut publisher = TestPublisher::default();
    let path = answering.path();
    let mut hub = hub(scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .config(&format!("answering = {{ enabled = true, path = \"{path}\", max_attempts = 1 }}"))
        .start();
    publisher.wait_for_subscriber("t");
    for n in 0..MESSAGES {
        let answer = ["ok", "drop", "retry"][usize::from(n % 50 == 7) + usize::from(n % 100 == 7)];
        let msg = json!({"n": n, "answer": answer, "filling": "x".repeat(usize::try_from(n).unwrap())});
        publisher.publish("t", &msg.to_string());
    }
    recorder.wait_for(usize::try_from(MESSAGES).unwrap());
    assert_eq!(hub.stop().code(), Some(0));
}

/// All files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.file_type().unwrap().is_file() && entry.metadata().unwrap().len() > 0 {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
}

/// Where each message lies.
fn places(state: &Path) -> BTreeMap<u64, (PathBuf, Range<usize>)> {
    let mut places = BTreeMap::new();
    for path in files(&state.join("messages")) {
        let bytes = fs::read(&path).unwrap();
        let mut at = FILE_HEADER;
        while at < bytes.len() {
            let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            let end = at + FRAME_HEADER + len;
            places.insert(places.len() as u64, (path.clone(), at..end));
            at = end;
        }
    }
    assert_eq!(places.len() as u64, MESSAGES);
    places
}

/// Damages a file; how, and which bytes.
fn hit(rng: &mut Rng, path: &Path) -> (&'static str, Range<usize>) {
    let mut bytes = fs::read(path).unwrap();
    let (at, end) = (rng.usize(..bytes.len()), bytes.len());
    let hit = match rng.u8(..3) {
        0 => {
            bytes[at] ^= 1 << rng.u8(..8);
            ("a bit flipped", at..at + 1)
        }
        1 => {
            bytes.truncate(at);
            ("cut", at..end)
        }
        _ => {
            let page = at / 4096 * 4096;
            let range = page..end.min(page + 4096);
            bytes[range.clone()].fill(0);
            ("a page of zeros", range)
        }
    };
    fs::write(path, bytes).unwrap();
    hit
}

#[test]
fn a_hub_starts_on_damaged_files_delivers_what_was_not_hit_and_names_the_rest() {
    let origin = Scratch::new();
    let original = hub(&origin).state_dir();
    fill(&origin);
    let accepted = Accepted::read(&original);
    let mut rng = Rng::with_seed(seed());
    let mut losses = 0;
    for round in 0..rounds(40, 1000) {
        let scratch = Scratch::new();
        let state = hub(&scratch).state_dir();
        copy(&original, &state);
        let places = places(&state);
        let all = files(&state);
        // The messages are most of the bytes, and few of the files.
        let path = &all[rng.usize(..all.len())];
        let (how, bytes) = hit(&mut rng, path);
        let said = format!("round {round}: {}: {how}, {bytes:?}", path.display());
        let archive = Archive::open(&state).unwrap();
        let (next, recovery) = (archive.next().0, archive.recovery());

        // It has not had any, and comes to all that is left.
        let recorder = Recorder::pipe(&scratch, "transacting");
        let config = format!(
            "transacting = {{ enabled = true, path = \"{}\", start = \"earliest\", max_attempts = 1 }}",
            recorder.path()
        );
        let mut hub = hub(&scratch).plugin("recorder").config(&config).start();
        assert_eq!(hub.stop().code(), Some(0), "{said}");
        let log = hub.log().wait_for_end();
        let is_named = |words: &[&str]| log.iter().any(|line| words.iter().all(|word| line.contains(word)));
        for damage in &recovery.damage {
            assert!(is_named(&["the journal is damaged", &damage.to_string()]), "{said}: {damage}: {log:#?}");
        }
        assert!(
            recovery.torn.is_empty() || is_named(&["the journal was mended after a crash"]),
            "{said}: {log:#?}"
        );
        let mut got = BTreeMap::new();
        for record in recorder.take() {
            let offset = record["offset"].as_u64().unwrap();
            assert!(got.insert(offset, record["msg"].clone()).is_none(), "{said}: {offset} comes twice");
        }
        let gaps: Vec<Range<u64>> = log
            .iter()
            .filter(|line| line.contains("messages are no longer in the journal"))
            .map(|line| number(line, "from=")..number(line, "to="))
            .collect();
        for (offset, message) in accepted.iter().filter(|(_, message)| message.msg["answer"] == "ok") {
            let (place, whole) = &places[&offset];
            match got.get(&offset) {
                Some(msg) => assert_eq!(*msg, message.msg, "{said}: message {offset}"),
                None => {
                    losses += 1;
                    let is_hit = place == path && bytes.start < whole.end && whole.start < bytes.end;
                    assert!(is_hit, "{said}: {offset} is lost");
                    // What was cut off at the end is known by where the journal goes on.
                    let is_named = gaps.iter().any(|gap| gap.contains(&offset)) || offset >= next;
                    assert!(is_named, "{said}: {offset} is not named: {log:#?}");
                }
            }
        }
    }
    println!("{losses} messages lost");
    assert!(losses > 0, "the damage must have hit something");
}

/// The number behind a field's name in a line of the log.
fn number(line: &str, field: &str) -> u64 {
    let (_, rest) = line.split_once(field).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}
