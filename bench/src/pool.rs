//! The messages that are sent: a file of some hundred, which the publisher sends over and over, writing a new number
//! into the `msg_id` of each.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::scenario::Shape;

/// What the publisher replaces, of the length that it writes.
const NUMBER: &str = "000000000000";
const TIME: &str = "1795216482000000";

/// A message, and where in its body the publisher writes; 0 is nowhere.
struct Template {
    topic: String,
    body: String,
    number_at: usize,
    time_at: usize,
}

impl Template {
    fn new(topic: String, body: String) -> Self {
        let number_at = id_end(&body).map_or(0, |end| end - NUMBER.len());
        let time = "\"sent\":";
        let time_at = body.find(&format!("{time}{TIME}")).map_or(0, |at| at + time.len());
        Self { topic, body, number_at, time_at }
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        for number in [self.topic.len(), self.body.len(), self.number_at, self.time_at] {
            to.write_all(&u32::try_from(number).map_err(io::Error::other)?.to_ne_bytes())?;
        }
        to.write_all(self.topic.as_bytes())?;
        to.write_all(self.body.as_bytes())
    }
}

/// Where the value of `msg_id` ends, if it is long enough for a number. The last one: a message may quote another.
fn id_end(body: &str) -> Option<usize> {
    let key = "\"msg_id\":\"";
    let start = body.rfind(key)? + key.len();
    let len = body[start..].find('"')?;
    (len > NUMBER.len()).then_some(start + len)
}

fn templates(shape: Shape) -> Vec<Template> {
    match shape {
        Shape::Kib => (0..10).map(kib).collect(),
        Shape::Bus => e2e::bus_shaped_messages()
            .into_iter()
            .map(|(topic, head, tail)| Template::new(topic, format!("{head}1{tail}")))
            .collect(),
    }
}

fn kib(n: usize) -> Template {
    let topic = format!("org.fedoraproject.dev.bench.t{n}");
    let head = format!("{{\"i\":1,\"msg\":{{\"sent\":{TIME},\"text\":\"");
    let tail = format!(
        "\"}},\"msg_id\":\"2026-00000000-0000-4000-8000-{NUMBER}\",\"timestamp\":1795216482,\"topic\":\"{topic}\"}}"
    );
    let text = "lorem ipsum ".repeat(1024);
    let body = format!("{head}{}{tail}", &text[..1024 - head.len() - tail.len()]);
    Template::new(topic, body)
}

/// Writes the file that `bench/peer/publisher.c` reads.
pub(crate) fn write(shape: Shape, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    templates(shape).iter().try_for_each(|template| template.write(&mut file))?;
    file.flush()
}

/// The bytes of so many messages, topics and bodies.
pub(crate) fn bytes(shape: Shape, messages: u64) -> u64 {
    let sizes: Vec<u64> = templates(shape).iter().map(|it| (it.topic.len() + it.body.len()) as u64).collect();
    let (cycles, rest) = (messages / sizes.len() as u64, messages % sizes.len() as u64);
    let rest: u64 = sizes.iter().zip(0..rest).map(|(size, _)| size).sum();
    cycles * sizes.iter().sum::<u64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_kib_has_places_for_time_and_number() {
        let Template { body, number_at, time_at, .. } = kib(7);
        assert_eq!(body.len(), 1024);
        assert_eq!((&body[number_at..][..12], &body[time_at..][..16]), (NUMBER, TIME));
        assert_eq!(&body[number_at + 12..][..2], "\",");
    }

    #[test]
    fn the_number_goes_to_the_end_of_any_id_and_nowhere_without_one() {
        let at = |body: &str| Template::new("t".into(), body.into()).number_at;
        assert_eq!(at(r#"{"msg_id":"2019-0123456789ab","x":1}"#), 16);
        assert_eq!(at(r#"{"msg":{"msg_id":"2019-0123456789ab"},"msg_id":"2019-0123456789ab"}"#), 53);
        assert_eq!(at(r#"{"msg_id":"short"}"#), 0);
        assert_eq!(at("{}"), 0);
    }

    #[test]
    fn bytes_are_those_of_as_many_messages_as_are_sent() {
        let one = bytes(Shape::Kib, 1);
        assert_eq!(one, 1024 + 30);
        assert_eq!(bytes(Shape::Kib, 25), 25 * one);
    }
}
