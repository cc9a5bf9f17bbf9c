//! The hub is killed again and again, in the middle of whatever it does. Each consumer must get every message that the
//! journal has accepted, in order, and what it gets twice must be explained by what was on disk at the kill.
//!
//! What the journal has accepted is read from its files; what consumers got, from a pipe that outlives the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use e2e::{Accepted, Hub, HubBuilder, Process, Recorder, Scratch, Signal, TestPublisher};
use fastrand::Rng;
use journal::{Archive, Ending, Offset, OutcomeFilter};
use serde_json::{Value, json};

/// Publishes numbered messages in bursts until told to end; whoever is there to get them.
struct Bursts {
    end: mpsc::Sender<()>,
    thread: JoinHandle<(TestPublisher, u64)>,
}

impl Bursts {
    fn start(mut publisher: TestPublisher, mut rng: Rng) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut n = 0;
            while ended.recv_timeout(Duration::from_millis(rng.u64(1..25))) == Err(RecvTimeoutError::Timeout)
            {
                for _ in 0..1 << rng.u32(0..8) {
                    publisher.publish(&format!("t.{}", rng.u8(..6)), &message(n, &mut rng));
                    n += 1;
                }
            }
            (publisher, n)
        });
        Self { end, thread }
    }

    /// Ends it; how many were published.
    fn end(self) -> (TestPublisher, u64) {
        drop(self.end);
        self.thread.join().unwrap()
    }
}

/// A message's msg: what `answering` and `transacting` make of it, and its number.
fn message(n: u64, rng: &mut Rng) -> String {
    let (times, after) = (rng.u8(1..4), format!("{}ms", rng.u8(1..4)));
    let msg = match rng.u8(..100) {
        0 | 1 => json!({"n": n, "answer": "retry", "times": times, "after": after}),
        2 => json!({"n": n, "answer": "panic", "times": 1}),
        3 => json!({"n": n, "answer": "drop"}),
        _ => json!({"n": n}),
    };
    msg.to_string()
}

/// How a consumer is run, from one start of the hub to the next.
struct Terms {
    workers: u8,
    ordering: &'static str,
    on_retry: &'static str,
}

impl Terms {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            workers: if rng.bool() { 1 } else { 4 },
            ordering: ["topic", "endpoint", "none"][rng.usize(..3)],
            on_retry: if rng.bool() { "hold" } else { "continue" },
        }
    }

    /// Whether `earlier` must have been dealt with before the message of `topic`.
    fn keep_in_order(&self, earlier: &e2e::Message, topic: &str) -> bool {
        let same_key = match self.ordering {
            _ if self.workers == 1 => true,
            "topic" => earlier.topic == topic,
            "endpoint" => true,
            _ => false,
        };
        same_key && (self.on_retry == "hold" || earlier.msg.get("answer").is_none())
    }
}

/// A consumer, followed over all the lives of the hub.
struct Followed {
    name: &'static str,
    recorder: Recorder,
    terms: Terms,
    /// Whether it does as a message asks.
    answers: bool,
    /// Accepted messages that it has not told of yet, and is to.
    missing: BTreeSet<u64>,
    /// How many accepted messages are known.
    known: u64,
    /// As they were on disk when the hub last ended: the cursor, and what was set aside.
    cursor: u64,
    aside: BTreeSet<u64>,
    repeated: u64,
}

impl Followed {
    fn new(scratch: &Scratch, name: &'static str) -> Self {
        let terms = Terms { workers: 1, ordering: "topic", on_retry: "hold" };
        let (recorder, answers) = (Recorder::pipe(scratch, name), name != "recorder");
        let (missing, aside) = Default::default();
        Self { name, recorder, terms, answers, missing, known: 0, cursor: 0, aside, repeated: 0 }
    }

    fn config(&self) -> String {
        let Terms { workers, ordering, on_retry } = &self.terms;
        format!(
            r#"
            [{}]
            enabled = true
            path = "{}"
            workers = {workers}
            ordering = "{ordering}"
            on_retry = "{on_retry}"
            retry_min = "1ms"
            "#,
            self.name,
            self.recorder.path()
        )
    }

    /// Holds what it told of since the last time against what is on disk, now that the hub has ended.
    fn check(&mut self, life: u32, accepted: &Accepted, archive: &Archive) {
        let name = self.name;
        let is_for_it = |offset: &u64| !self.answers || accepted.at(*offset).unwrap().msg["answer"] != "drop";
        self.missing.extend((self.known..accepted.len()).filter(is_for_it));
        self.known = accepted.len();
        let mut told = BTreeSet::new();
        for record in self.recorder.take() {
            let offset = record["offset"].as_u64().unwrap();
            let at = format!("life {life}, {name}, {record}");
            let message = accepted.at(offset).unwrap_or_else(|| panic!("{at}: is not in the journal"));
            assert_eq!((&record["msg"], &record["topic"]), (&message.msg, &json!(message.topic)), "{at}");
            assert!(told.insert(offset), "{at}: twice in one life");
            let set_aside = self.aside.contains(&offset);
            if !self.missing.remove(&offset) {
                assert!(
                    offset >= self.cursor || set_aside,
                    "{at}: again, and the cursor was at {}",
                    self.cursor
                );
                self.repeated += 1;
            }
            if set_aside || (self.terms.on_retry == "continue" && message.msg.get("answer").is_some()) {
                continue;
            }
            let before = self.missing.range(..offset).find(|before| {
                let earlier = accepted.at(**before).unwrap();
                !self.aside.contains(before) && self.terms.keep_in_order(earlier, &message.topic)
            });
            assert_eq!(before, None, "{at}: before one that came earlier");
        }

        let cursors = archive.consumers();
        let cursor = cursors.iter().find(|cursor| cursor.consumer == name).map_or(0, |cursor| cursor.next.0);
        assert!(cursor >= self.cursor, "life {life}, {name}: the cursor went back to {cursor}");
        let letters: Vec<_> = archive.dead_letters().filter(|letter| letter.consumer == name).collect();
        assert!(letters.iter().all(|letter| letter.requeued), "life {life}, {name}: {letters:?}");
        self.cursor = cursor;
        self.aside = letters.iter().map(|letter| letter.offset.0).collect();
        let skipped = self.missing.range(..cursor).find(|offset| !self.aside.contains(offset));
        assert_eq!(skipped, None, "life {life}, {name}: skipped, with the cursor at {cursor}");
    }

    /// Waits until it has told of all.
    fn wait_for_missing(&self) {
        let (mut missing, mut looked_at) = (self.missing.clone(), 0);
        self.recorder.lines().wait_until(&format!("{} to get {missing:?}", self.name), |lines| {
            for line in &lines[looked_at..] {
                let record: Value = serde_json::from_str(line).expect("a whole line");
                missing.remove(&record["offset"].as_u64().expect("an offset"));
            }
            looked_at = lines.len();
            missing.is_empty().then_some(())
        });
    }
}

/// A hub that is started and killed again and again.
struct Lives<'s> {
    scratch: &'s Scratch,
    rng: Rng,
    base: HubBuilder<'s>,
    consumers: [Followed; 3],
    accepted: Accepted,
    /// How long it took to be ready, at the longest.
    start: Duration,
    torn: u64,
}

impl Lives<'_> {
    fn builder(&mut self) -> HubBuilder<'_> {
        let mut config = format!("journal.sync_interval = \"{}ms\"\n", self.rng.u8(1..21));
        for followed in &mut self.consumers {
            // In the one that takes batches, order in the pipe is only sure as long as one writes to it.
            if followed.name == "answering" {
                followed.terms = Terms::draw(&mut self.rng);
            }
            writeln!(config, "{}", followed.config()).unwrap();
        }
        self.base.clone().config(&config)
    }

    /// One life, from start to kill; when that was.
    fn live(&mut self) -> &'static str {
        let (kind, starting, running) =
            (self.rng.u8(..10), self.rng.f64(), Duration::from_micros(self.rng.u64(..200_000)));
        let (scratch, starting) = (self.scratch, self.start.mul_f64(starting));
        let builder = self.builder();
        if kind < 3 {
            let mut process = Process::start(scratch, "hub", &mut builder.command());
            kill_after(starting, &mut process);
            return "starting";
        }
        let began = Instant::now();
        let mut hub = builder.start();
        self.start = self.start.max(began.elapsed());
        if kind > 3 {
            kill_after(running, &mut hub.process);
            return "running";
        }
        hub.process.signal(Signal::TERM);
        kill_after(running / 8, &mut hub.process);
        "stopping"
    }

    fn check(&mut self, life: u32) {
        if !self.base.state_dir().join("messages").exists() {
            return;
        }
        let archive = Archive::open(&self.base.state_dir()).unwrap();
        let recovery = archive.recovery();
        assert!(recovery.damage.is_empty(), "life {life}: {recovery:?}");
        self.torn += recovery.torn.len() as u64;
        self.accepted.read_on(&archive);
        for followed in &mut self.consumers {
            followed.check(life, &self.accepted, &archive);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a point in time that nothing that happens decides on")]
fn kill_after(time: Duration, process: &mut Process) {
    thread::sleep(time);
    process.signal(Signal::KILL);
    let status = process.wait();
    // One that was told to stop may have been faster.
    assert!(status.signal() == Some(9) || status.code() == Some(0), "{status}: {:#?}", process.stderr.all());
}

fn kill(times: u32, seed: u64) {
    let scratch = Scratch::new();
    let mut rng = Rng::with_seed(seed);
    let publisher = TestPublisher::default();
    let base = Hub::builder(&scratch).subscribed_to(&publisher).plugin("recorder").config(
        r#"
        hub.drain_deadline = "1m"
        # Small, so that kills hit their changes, too, and slow consumers have to read from disk.
        journal.segment_bytes = 65536
        journal.memory_bytes = 65536
        journal.dedup_ids = 1000
        log.level = "warn"
        "#,
    );
    let consumers = ["recorder", "answering", "transacting"].map(|name| Followed::new(&scratch, name));
    let bursts = Bursts::start(publisher, rng.fork());
    let (accepted, start, torn) = (Accepted::default(), Duration::from_millis(100), 0);
    let mut lives = Lives { scratch: &scratch, rng, base, consumers, accepted, start, torn };
    let mut kinds = BTreeMap::<_, u32>::new();
    let began = Instant::now();
    for life in 1..=times {
        *kinds.entry(lives.live()).or_default() += 1;
        lives.check(life);
    }
    println!("{times} kills in {:?}: {kinds:?}", began.elapsed());

    // All that is left is handed out, and what was set aside comes at the next start.
    let mut hub = lives.builder().start();
    let (mut publisher, n) = bursts.end();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", &json!({"n": n, "last": true}).to_string());
    lives.consumers[0].recorder.wait_until("the last one", |record| record["msg"]["last"] == true);
    assert_eq!(hub.stop().code(), Some(0));
    lives.check(times + 1);
    let mut hub = lives.builder().start();
    for followed in &lives.consumers {
        followed.wait_for_missing();
    }
    assert_eq!(hub.stop().code(), Some(0));
    lives.check(times + 2);

    let archive = Archive::open(&lives.base.state_dir()).unwrap();
    let numbers: Vec<u64> =
        lives.accepted.iter().map(|(_, message)| message.msg["n"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "accepted once each, in order");
    println!("published {}, accepted {}, torn tails {}", n + 1, numbers.len(), lives.torn);
    let drops: BTreeSet<Offset> = lives
        .accepted
        .iter()
        .filter(|(_, m)| m.msg["answer"] == "drop")
        .map(|(offset, _)| Offset(offset))
        .collect();
    for followed in &lives.consumers {
        let Followed { name, missing, aside, cursor, repeated, .. } = followed;
        println!("{name}: got {repeated} again");
        assert!(missing.is_empty() && aside.is_empty(), "{name}: {missing:?} {aside:?}");
        assert_eq!(*cursor, lives.accepted.len(), "{name}");
        let filter = OutcomeFilter { consumer: Some((*name).to_owned()), ..OutcomeFilter::default() };
        let dropped: BTreeSet<Offset> = archive
            .outcomes(filter)
            .map(Result::unwrap)
            .filter(|outcome| matches!(outcome.ending, Ending::Dropped(_)))
            .filter_map(|outcome| outcome.offset)
            .collect();
        assert_eq!(dropped, if followed.answers { drops.clone() } else { BTreeSet::new() }, "{name}");
    }
}

#[test]
fn whatever_the_journal_accepted_comes_to_every_consumer_however_often_the_hub_is_killed() {
    kill(u32::try_from(e2e::rounds(200, 1000)).unwrap(), e2e::seed());
}
