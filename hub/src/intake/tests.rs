use std::time::Duration;

use bus::{Endpoint, Frames, memory};
use journal::{Journal, Next, Opened, Options, OutcomeFilter};
use message::Pattern;
use settings::JournalSettings;

use super::*;

/// What becomes of messages that `endpoint` sends to a hub where somebody wants `a.[bc]`, and `inbound` is bound for a
/// consumer: which are in the journal, with their flags, and what was rejected and recorded.
fn taken(endpoint: &str, sent: &[Frames]) -> (Vec<(String, u32)>, String, Vec<Ending>) {
    let folder = tempfile::tempdir().unwrap();
    let Opened { journal, appender, .. } = Journal::open(folder.path(), &Options::default()).unwrap();
    let journal = Arc::new(journal);
    let bus = memory::Bus::default();
    let reception = Reception {
        inbound: vec![Endpoint::new("inbound", ["tcp://*:2".parse().unwrap()])],
        subscribed: vec![Endpoint::new("e", ["tcp://e:1".parse().unwrap()])],
        topics: vec![(Pattern::new("a.[bc]"), Trust::Anybody)],
        max_body_bytes: 40,
    };
    let tally = Arc::new(IntakeTally::default());
    let (_halt, halted) = crossbeam_channel::bounded(0);
    let clock = Arc::<Clock>::default();
    let means = Means {
        clock: Arc::clone(&clock),
        judge: Arc::new(Judge::new(None, Arc::clone(&clock))),
        appender,
        housekeeping: Arc::new(Housekeeping::new(Arc::clone(&journal), clock, &JournalSettings::default())),
        seen: Some(Seen::new(10, Duration::from_secs(60))),
        consumers: Roster::default(),
        halt: halted,
        in_memory: false,
        changes: crossbeam_channel::never(),
        tally: Arc::clone(&tally),
        phase: Arc::new(AtomicPhase(AtomicU8::new(Phase::Closed as u8))),
    };
    let intake = Intake::open(bus.subscriber(), means, &reception).unwrap();
    for frames in sent {
        bus.publisher(endpoint).publish_frames(frames);
    }
    intake.run().unwrap();
    let mut stored = Vec::new();
    let mut reader = journal.reader(Offset(0));
    while let Some(Next::Batch(batch)) = reader.poll(9).unwrap() {
        stored.extend(batch.iter().map(|entry| (entry.topic().to_owned(), entry.flags())));
    }
    let outcomes = journal.outcomes(OutcomeFilter::default()).unwrap();
    (stored, tally.rejected.summary(), outcomes.map(|outcome| outcome.unwrap().ending).collect())
}

const fn message(topic: &'static [u8], body: &'static [u8]) -> Frames {
    Frames::Message { topic: Bytes::from_static(topic), body: Bytes::from_static(body) }
}

#[test]
fn a_message_goes_into_the_journal() {
    let (stored, rejected, outcomes) = taken("e", &[message(b"a.b", b"{}"), message(b"a.c", b"{}")]);
    assert_eq!(stored, [("a.b".to_owned(), 0), ("a.c".to_owned(), 0)]);
    assert_eq!((&*rejected, &*outcomes), ("none", &[][..]));
}

#[test]
fn one_that_nobody_wants_is_kept_and_recorded_as_that() {
    let (stored, rejected, outcomes) = taken("e", &[message(b"a.x", b"{}")]);
    assert_eq!(stored, [("a.x".to_owned(), 0)]);
    assert_eq!((&*rejected, &*outcomes), ("unmatched=1", &[Ending::Unmatched][..]));
}

#[test]
fn what_comes_by_an_inbound_endpoint_is_marked() {
    let (stored, rejected, _) = taken("inbound", &[message(b"b.a", b"{}")]);
    assert_eq!((stored, &*rejected), (vec![("b.a".to_owned(), INBOUND)], "none"));
}

#[test]
fn a_message_that_comes_again_is_a_duplicate() {
    const BODY: &[u8] = br#"{"topic": "a.b", "msg_id": "1"}"#;
    let (stored, rejected, outcomes) = taken("e", &[message(b"a.b", BODY), message(b"a.b", BODY)]);
    assert_eq!((stored.len(), &*rejected), (1, "duplicate=1"));
    assert_eq!(outcomes, [Ending::Duplicate { of: Offset(0), endpoint: "e".to_owned() }]);
}

#[test]
fn another_message_under_the_same_id_is_no_duplicate() {
    const GENUINE: Frames = message(b"a.b", br#"{"topic": "a.b", "msg_id": "1"}"#);
    const FORGED: Frames = message(b"a.b", br#"{"topic": "a.b", "msg_id": "1", "i": 1}"#);
    const ELSEWHERE: Frames = message(b"a.c", br#"{"topic": "a.b", "msg_id": "1"}"#);
    let (stored, rejected, _) = taken("e", &[FORGED, ELSEWHERE, GENUINE]);
    assert_eq!((stored.len(), &*rejected), (3, "none"));
}

#[test]
fn what_publishers_send_to_a_relay_is_no_first_of_what_comes_back() {
    const BODY: &[u8] = br#"{"topic": "a.b", "msg_id": "1"}"#;
    let (stored, rejected, _) = taken("inbound", &[message(b"a.b", BODY), message(b"a.b", BODY)]);
    assert_eq!((stored.len(), &*rejected), (2, "none"));
}

#[test]
fn what_is_no_message_is_refused_counted_and_recorded() {
    let too_large = message(b"a.b", b"{\"x\": \"a body that is more than is allowed\"}");
    for (frames, rejected) in [
        (Frames::Malformed { count: 3, bytes: 9 }, "frames=1"),
        (message(b"a.\xff", b"{}"), "topic=1"),
        (message(b"a.b", b"[1]"), "body=1"),
        (too_large, "too_large=1"),
    ] {
        let (stored, said, outcomes) = taken("e", &[frames]);
        assert_eq!((stored.len(), &*said), (0, rejected));
        let [Ending::Malformed(refusal)] = &*outcomes else { panic!("{outcomes:?}") };
        assert_eq!(refusal.endpoint, "e");
        assert!(refusal.reason.starts_with(rejected.trim_end_matches("=1")), "{}", refusal.reason);
    }
}
