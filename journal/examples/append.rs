//! How quick the journal is here: `cargo run --release -p journal --example append [DIRECTORY]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use journal::{Journal, Mode, Next, Opened, Options, Record, Start, WhenFull};

fn run(directory: &Path, name: &str, mode: Mode, body: usize, messages: usize, readers: usize) {
    let scratch = tempfile::tempdir_in(directory).unwrap();
    let options = Options { mode, ..Options::default() };
    let Opened { journal, mut appender, .. } = Journal::open(scratch.path(), &options).unwrap();
    let body = vec![b'x'; body];
    let received = SystemTime::now();
    let topic = "org.fedoraproject.prod.buildsys.build.state.change";
    let batch = vec![Record { received, endpoint: "bus", flags: 0, note: b"", topic, body: &body }; 256];
    let cursors: Vec<_> =
        (0..readers).map(|n| journal.register(&n.to_string(), Start::New).unwrap()).collect();
    let began = Instant::now();
    let (appending, all) = std::thread::scope(|scope| {
        let threads: Vec<_> = cursors
            .iter()
            .map(|cursor| {
                scope.spawn(|| {
                    let (mut reader, mut seen, mut bytes) = (cursor.reader(), 0, 0);
                    while seen < messages {
                        if let Next::Batch(batch) = reader.next_batch(256, None).unwrap() {
                            bytes += batch
                                .iter()
                                .map(|entry| entry.body().len() + entry.topic().len())
                                .sum::<usize>();
                            seen += batch.len();
                            cursor.commit(batch.end());
                        }
                    }
                    std::hint::black_box(bytes);
                })
            })
            .collect();
        for _ in 0..messages / 256 {
            appender.append(&batch).unwrap();
        }
        let appending = began.elapsed();
        for thread in threads {
            thread.join().unwrap();
        }
        journal.flush().unwrap();
        (appending, began.elapsed())
    });
    let rate = |time: Duration| messages as f64 / time.as_secs_f64();
    let bytes = body.len();
    println!(
        "{name:8} {bytes:5} B {readers:3} readers: append {:>10.0}/s, all read and safe {:>10.0}/s",
        rate(appending),
        rate(all)
    );
}

fn main() {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let directory = Path::new(&directory);
    let memory = Mode::Memory { max_bytes: 32 << 20, when_full: WhenFull::Block };
    let durable = Mode::Durable { sync_interval: Duration::from_millis(20) };
    for round in 1..=3 {
        println!("round {round}");
        for (name, mode) in [("memory", memory), ("durable", durable)] {
            for (body, messages) in [(100, 256 * 8000), (1024, 256 * 4000)] {
                for readers in [0, 1, 10] {
                    run(directory, name, mode, body, messages, readers);
                }
            }
        }
    }
}
