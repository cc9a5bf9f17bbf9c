//! Writes a text anew, as Python's `json.dumps(json.loads(text), …)` would.

use std::ops::Range;
use std::vec;

use serde::Serialize;

use super::scan::{Error, Kind, Sink, scan};
use super::{number, string};

/// `json.dumps(json.loads(text), sort_keys=True, separators=(',', ':'))`: the form in which messages are sent
/// and signed. It is ASCII.
///
/// # Errors
/// [`Error`] when `text` is not what `json.loads` accepts.
pub fn canonical(text: &str) -> Result<Vec<u8>, Error> {
    write(text, &Style { sort_keys: true, indent: None })
}

/// `json.dumps(json.loads(text), indent=2)`: the form for people of Python's `fedmsg.encoding.pretty_dumps`.
/// Keys keep their order.
///
/// # Errors
/// [`Error`] when `text` is not what `json.loads` accepts.
pub fn pretty(text: &str) -> Result<Vec<u8>, Error> {
    write(text, &Style { sort_keys: false, indent: Some(2) })
}

/// A value in the form of [`canonical`].
///
/// # Errors
/// What the value's own serialization fails with.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    canonical(&text).map_err(serde::ser::Error::custom)
}

struct Style {
    sort_keys: bool,
    /// Spaces for each level; without it all stands on one line.
    indent: Option<usize>,
}

/// A text's values and keys in their order. A key precedes its value, a container what it holds.
#[derive(Default)]
struct Tape {
    nodes: Vec<Node>,
    /// The containers not yet closed.
    open: Vec<usize>,
}

struct Node {
    kind: Kind,
    /// Where it begins in the text.
    start: usize,
    /// A container's: the place on the tape behind all that it holds. Else: where it ends in the text.
    end: usize,
}

impl Sink for Tape {
    fn key(&mut self, token: Range<usize>) {
        self.scalar(Kind::String, token);
    }

    fn scalar(&mut self, kind: Kind, token: Range<usize>) {
        self.nodes.push(Node { kind, start: token.start, end: token.end });
    }

    fn open(&mut self, kind: Kind, at: usize) {
        self.open.push(self.nodes.len());
        self.nodes.push(Node { kind, start: at, end: 0 });
    }

    fn close(&mut self, _: usize) {
        if let Some(container) = self.open.pop() {
            self.nodes[container].end = self.nodes.len();
        }
    }
}

impl Tape {
    /// The place behind the value at `place`.
    fn behind(&self, place: usize) -> usize {
        let node = &self.nodes[place];
        if matches!(node.kind, Kind::Object | Kind::Array) { node.end } else { place + 1 }
    }
}

/// A container of which a part is written.
enum Unfinished {
    Array { next: usize, end: usize },
    Object { members: vec::IntoIter<Member> },
}

/// The places of a key and its value.
struct Member {
    key: usize,
    value: usize,
}

fn write(text: &str, style: &Style) -> Result<Vec<u8>, Error> {
    let mut tape = Tape::default();
    scan(text, &mut tape)?;
    let mut writer = Writer { text, tape, style, out: Vec::with_capacity(text.len()), open: Vec::new() };
    writer.run();
    Ok(writer.out)
}

struct Writer<'t> {
    text: &'t str,
    tape: Tape,
    style: &'t Style,
    out: Vec<u8>,
    open: Vec<Unfinished>,
}

impl Writer<'_> {
    fn run(&mut self) {
        let mut just_opened = self.begin(0);
        while !self.open.is_empty() {
            just_opened = match self.advance(just_opened) {
                Some(value) => self.begin(value),
                None => false,
            };
        }
    }

    /// Writes the value at `place`, or only the beginning if it holds others: then it is open and `true` comes back.
    fn begin(&mut self, place: usize) -> bool {
        let Node { kind, start, end } = self.tape.nodes[place];
        let unfinished = match kind {
            Kind::Array => Unfinished::Array { next: place + 1, end },
            Kind::Object => Unfinished::Object { members: self.members(place + 1..end).into_iter() },
            Kind::String => {
                string::write_token(&mut self.out, &self.text[start..end]);
                return false;
            }
            Kind::Integer => {
                number::write_integer(&mut self.out, &self.text[start..end]);
                return false;
            }
            Kind::Float => {
                number::write_float(&mut self.out, &self.text[start..end]);
                return false;
            }
            Kind::Word => {
                self.out.extend_from_slice(&self.text.as_bytes()[start..end]);
                return false;
            }
        };
        self.out.push(if kind == Kind::Array { b'[' } else { b'{' });
        self.open.push(unfinished);
        true
    }

    /// Writes what stands before the next value of the innermost open container and gives that value's place, or ends the
    /// container.
    fn advance(&mut self, first: bool) -> Option<usize> {
        let depth = self.open.len();
        let (value, key, bracket) = match self.open.last_mut()? {
            Unfinished::Array { next, end } if *next < *end => {
                let value = *next;
                *next = self.tape.behind(value);
                (Some(value), None, b']')
            }
            Unfinished::Array { .. } => (None, None, b']'),
            Unfinished::Object { members } => match members.next() {
                Some(Member { key, value }) => (Some(value), Some(key), b'}'),
                None => (None, None, b'}'),
            },
        };
        match value {
            Some(_) => {
                if !first {
                    self.out.push(b',');
                }
                self.break_line(depth);
                if let Some(key) = key {
                    let node = &self.tape.nodes[key];
                    string::write_token(&mut self.out, &self.text[node.start..node.end]);
                    self.out.extend_from_slice(if self.style.indent.is_some() { b": " } else { b":" });
                }
            }
            None => {
                if !first {
                    self.break_line(depth - 1);
                }
                self.out.push(bracket);
                self.open.pop();
            }
        }
        value
    }

    fn break_line(&mut self, depth: usize) {
        if let Some(indent) = self.style.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + indent * depth, b' ');
        }
    }

    /// The members of an object in the order to be written. Of those with the same key the last value counts, in the place
    /// of the first.
    fn members(&self, places: Range<usize>) -> Vec<Member> {
        let mut members = Vec::new();
        let mut key = places.start;
        while key < places.end {
            members.push(Member { key, value: key + 1 });
            key = self.tape.behind(key + 1);
        }
        let sort_key = |member: &Member| {
            let node = &self.tape.nodes[member.key];
            string::sort_key(&self.text[node.start..node.end])
        };
        members.sort_by_cached_key(sort_key);
        members.dedup_by(|later, kept| {
            let same = sort_key(later) == sort_key(kept);
            if same {
                kept.value = later.value;
            }
            same
        });
        if !self.style.sort_keys {
            members.sort_by_key(|member| member.key);
        }
        members
    }
}
