//! Writes a text anew, as Python's `json.dumps(json.loads(text), …)` would.

use std::borrow::Cow;
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
    write(text, &CANONICAL)
}

/// The form of [`canonical`], of an object without the members `without`.
///
/// # Errors
/// [`Error`] when `text` is not what `json.loads` accepts.
pub fn canonical_without(text: &str, without: &[&str], numbers: Numbers) -> Result<Vec<u8>, Error> {
    write(text, &Style { without, numbers, ..CANONICAL })
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// As Python 3 writes what it read: `1.50` becomes `1.5`.
    Anew,
    /// As they stand in the text: whatever wrote them, Python 2.6 with its 17 digits of a float too.
    Verbatim,
}

/// `json.dumps(json.loads(text), indent=2)`: the form for people of Python's `fedmsg.encoding.pretty_dumps`.
/// Keys keep their order.
///
/// # Errors
/// [`Error`] when `text` is not what `json.loads` accepts.
pub fn pretty(text: &str) -> Result<Vec<u8>, Error> {
    write(text, &Style { sort_keys: false, indent: Some(2), ..CANONICAL })
}

/// A value in the form of [`canonical`].
///
/// # Errors
/// What the value's own serialization fails with.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    canonical(&text).map_err(serde::ser::Error::custom)
}

struct Style<'s> {
    sort_keys: bool,
    /// Spaces for each level; without it all stands on one line.
    indent: Option<usize>,
    /// Members of the outermost object that are left out.
    without: &'s [&'s str],
    numbers: Numbers,
}

const CANONICAL: Style<'_> = Style { sort_keys: true, indent: None, without: &[], numbers: Numbers::Anew };

/// A text's values and keys in their order. A key precedes its value, a container what it holds.
struct Tape<'t> {
    text: &'t str,
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

impl Sink for Tape<'_> {
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

impl<'t> Tape<'t> {
    /// The text of the scalar or key at `place`.
    fn token(&self, place: usize) -> &'t str {
        let node = &self.nodes[place];
        &self.text[node.start..node.end]
    }

    /// The place behind the value at `place`.
    fn behind(&self, place: usize) -> usize {
        let node = &self.nodes[place];
        if node.kind.is_container() { node.end } else { place + 1 }
    }
}

/// A container of which a part is written.
enum Unfinished<'t> {
    Array { next: usize, end: usize },
    Object { members: vec::IntoIter<Member<'t>> },
}

/// A key and its value.
struct Member<'t> {
    name: Cow<'t, [u8]>,
    /// The key's place.
    key: usize,
    /// The value's place.
    value: usize,
}

fn write(text: &str, style: &Style<'_>) -> Result<Vec<u8>, Error> {
    let mut tape = Tape { text, nodes: Vec::new(), open: Vec::new() };
    scan(text, &mut tape)?;
    let mut writer = Writer { tape, style, out: Vec::with_capacity(text.len()), open: Vec::new() };
    writer.run();
    Ok(writer.out)
}

struct Writer<'t> {
    tape: Tape<'t>,
    style: &'t Style<'t>,
    out: Vec<u8>,
    open: Vec<Unfinished<'t>>,
}

impl<'t> Writer<'t> {
    fn run(&mut self) {
        let mut just_opened = self.begin(0);
        while !self.open.is_empty() {
            just_opened = match self.advance(just_opened) {
                Some(value) => self.begin(value),
                None => false,
            };
        }
    }

    /// Writes the value at `place`, or only the beginning if it holds others: then it is open and `true`
    /// comes back.
    fn begin(&mut self, place: usize) -> bool {
        let Node { kind, end, .. } = self.tape.nodes[place];
        match kind {
            Kind::Array => {
                self.out.push(b'[');
                self.open.push(Unfinished::Array { next: place + 1, end });
            }
            Kind::Object => {
                self.out.push(b'{');
                let mut members = self.members(place + 1..end);
                if self.open.is_empty() {
                    let without = self.style.without;
                    members.retain(|member| !without.iter().any(|name| *member.name == *name.as_bytes()));
                }
                self.open.push(Unfinished::Object { members: members.into_iter() });
            }
            Kind::String => string::write_token(&mut self.out, self.tape.token(place)),
            Kind::Integer | Kind::Float if self.style.numbers == Numbers::Verbatim => {
                self.out.extend_from_slice(self.tape.token(place).as_bytes());
            }
            Kind::Integer => number::write_integer(&mut self.out, self.tape.token(place)),
            Kind::Float => number::write_float(&mut self.out, self.tape.token(place)),
            Kind::Word => self.out.extend_from_slice(self.tape.token(place).as_bytes()),
        }
        kind.is_container()
    }

    /// Writes what stands before the next value of the innermost open container and gives that value's place,
    /// or ends the container.
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
                Some(Member { key, value, .. }) => (Some(value), Some(key), b'}'),
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
                    string::write_token(&mut self.out, self.tape.token(key));
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

    /// The members of an object in the order to be written. Of those with the same key the last value counts,
    /// in the place of the first.
    fn members(&self, places: Range<usize>) -> Vec<Member<'t>> {
        let mut members = Vec::new();
        let mut key = places.start;
        while key < places.end {
            let value = key + 1;
            members.push(Member { name: string::sort_key(self.tape.token(key)), key, value });
            key = self.tape.behind(value);
        }
        members.sort_by(|one, other| one.name.cmp(&other.name));
        members.dedup_by(|later, kept| {
            let same = later.name == kept.name;
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
