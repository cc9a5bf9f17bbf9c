//! Messages of the shape of a real bus.

use std::fmt::Write;
use std::fs;

/// A topic, and a body in two halves between which the message's number belongs.
pub type Numbered = (String, String, String);

/// Some thousand envelopes whose sizes are spread as on Fedora's bus of 2019: 10 % below 230 bytes, half below
/// 530, 1 % above 10,000, the largest 400,000. Or those in the file that `FEDMSG_TEST_CORPUS` names, one a line.
pub fn bus_shaped_messages() -> Vec<Numbered> {
    match std::env::var_os("FEDMSG_TEST_CORPUS") {
        Some(path) => fs::read_to_string(path).expect("a corpus").lines().map(numbered).collect(),
        None => (0..2400).map(made_up).collect(),
    }
}

fn numbered(envelope: &str) -> Numbered {
    let topic =
        message::Envelope::parse(envelope.as_bytes()).expect("JSON").topic().expect("a topic").into_owned();
    let head = "{\"i\":";
    let rest = envelope.strip_prefix(head).expect("keys in order");
    let tail = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    (topic, head.to_owned(), tail.to_owned())
}

fn made_up(n: usize) -> Numbered {
    let topic = format!("org.fedoraproject.prod.service{}.object.event{}", n % 20, n % 399);
    let size = match n % 2400 {
        0 => 400_000,
        n if n % 100 < 1 => 10_200,
        n if n % 100 < 10 => 2_000 + n,
        n if n % 100 < 50 => 530 + n % 1_400,
        n if n % 100 < 90 => 230 + n % 300,
        _ => 200,
    };
    let mut tail = String::from(",\"msg\":{");
    let mut field = 0;
    while tail.len() + 120 < size {
        write!(tail, "\"field{field}\":{{\"name\":\"value of it\",\"count\":{n}}},")
            .expect("a string takes all");
        field += 1;
    }
    write!(
        tail,
        "\"n\":{n}}},\"msg_id\":\"2019-00000000-0000-4000-8000-{n:012}\",\"timestamp\":1559764801,\"topic\":\"{topic}\"}}"
    )
    .expect("a string takes all");
    (topic, "{\"i\":".to_owned(), tail)
}
