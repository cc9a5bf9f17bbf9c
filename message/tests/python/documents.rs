//! Random documents: JSON as no publisher writes it, and what isn't JSON any more.

use fastrand::Rng;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "00",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "-.5",
    "1.0",
    "-0.0",
    "1e5",
    "1E+5",
    "1e-5",
    "1e",
    "1e+",
    "1.e5",
    "1.5e",
    "0e5",
    "1e400",
    "-1e400",
    "1e-400",
    "1e15",
    "1e16",
    "123456789012345678",
    "1e22",
    "1e23",
    "9007199254740993",
    "9007199254740993.0",
    "0.0001",
    "0.00001",
    "5e-324",
    "2.5e-324",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "123456789.123456789e-9",
    "0x10",
    "1_000",
    "१",
    "١.٥",
    "- 1",
    "1 e5",
];
const WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "-Infinity",
    "-NaN",
    "+Infinity",
    "nan",
    "None",
    "True",
    "nul",
    "nulls",
    "-Infinit",
    "inf",
    "''",
    "'a'",
    "",
];
const IN_STRINGS: &[&str] = &[
    "a",
    "topic",
    "b c",
    "/",
    r"\/",
    r"\\",
    r#"\""#,
    r"\b\f\n\r\t",
    r"\u0000",
    r"\u001F",
    "\u{7f}",
    r"\u007f",
    "é",
    "č",
    "\u{2028}",
    "𝕏",
    r"\ud835\udd4f",
    r"\uD835\uDD4F",
    r"\ud835",
    r"\udd4f",
    r"\ud835\ud835\udd4f",
    r"\ud835x",
    r"\ud835\u0041",
    r"\ud835\n",
    "\u{feff}",
    "\u{ffff}",
    "\u{10ffff}",
    r"\uffff",
    r"\u00e9",
    "\u{e000}",
    r"\ue000",
];
const BROKEN_IN_STRINGS: &[&str] = &[
    "\n",
    "\t",
    "\0",
    "\u{1f}",
    r"\x41",
    r"\u12",
    r"\u12g4",
    r"\u+123",
    r"\u0x12",
    r"\ud835\u12",
    r"\",
    r"\'",
    r"\U0041",
];
const SPACES: &[&str] = &["", "", "", "", " ", "\n", "\t", "\r", " \r\n\t "];
const BROKEN_SPACES: &[&str] = &["\u{b}", "\u{c}", "\u{a0}", "\u{feff}", "/**/", "\0", "\u{85}"];

/// A document; about every second one is refused.
pub(crate) fn document(random: &mut Rng) -> Vec<u8> {
    // Most of the broken ones are broken in one place only, or the others would go untested.
    let faulty = random.u8(..4) == 0;
    let mut text = String::new();
    value(random, &mut text, 0, faulty);
    let mut bytes = text.into_bytes();
    if random.u8(..4) == 0 {
        mutate(random, &mut bytes);
    }
    bytes
}

fn value(random: &mut Rng, text: &mut String, depth: usize, faulty: bool) {
    space(random, text, faulty);
    match random.u8(..if depth < 5 { 12 } else { 7 }) {
        0..2 => number(random, text, faulty),
        2 => text.push_str(pick(random, if faulty { WORDS } else { &WORDS[..6] })),
        3..7 => string(random, text, faulty),
        7..9 => {
            sequence(random, text, ('[', ']'), faulty, |random, text| value(random, text, depth + 1, faulty));
        }
        _ => sequence(random, text, ('{', '}'), faulty, |random, text| {
            space(random, text, faulty);
            string(random, text, faulty);
            space(random, text, faulty);
            text.push(':');
            value(random, text, depth + 1, faulty);
        }),
    }
    space(random, text, faulty);
}

fn sequence(
    random: &mut Rng,
    text: &mut String,
    (opening, closing): (char, char),
    faulty: bool,
    mut item: impl FnMut(&mut Rng, &mut String),
) {
    text.push(opening);
    space(random, text, faulty);
    for n in 0..random.usize(..6) {
        if n > 0 {
            text.push(',');
        }
        item(random, text);
    }
    if faulty && random.u8(..20) == 0 {
        text.push(',');
    }
    text.push(closing);
}

fn string(random: &mut Rng, text: &mut String, faulty: bool) {
    text.push('"');
    for _ in 0..random.usize(..4) {
        text.push_str(pick(random, IN_STRINGS));
    }
    if faulty && random.u8(..8) == 0 {
        text.push_str(pick(random, BROKEN_IN_STRINGS));
    }
    text.push('"');
}

fn number(random: &mut Rng, text: &mut String, faulty: bool) {
    match random.u8(..6) {
        0 if faulty => text.push_str(pick(random, NUMBERS)),
        0 | 1 => {
            let float = f64::from_bits(random.u64(..));
            text.push_str(&if float.is_finite() { format!("{float:e}") } else { "1e999".to_owned() });
        }
        // Short decimals, around where Python changes to exponents.
        2 => text.push_str(&format!("{}e{}", random.i32(-99_999..99_999), random.i32(-25..25))),
        3 => text.push_str(&format!("{}.{}", random.i32(-9..9), random.u64(..))),
        4 => text.push_str(&random.i64(..).to_string()),
        // More digits than any machine number has, some of them too many for Python.
        _ => {
            let digits = if random.u8(..40) == 0 { random.usize(4298..4303) } else { random.usize(1..60) };
            let tail = pick(random, &["", "", "", ".5", "e3", "e-3", ".25e-70"]);
            text.push(char::from(random.u8(b'1'..=b'9')));
            text.extend((1..digits).map(|_| char::from(random.u8(b'0'..=b'9'))));
            text.push_str(tail);
        }
    }
}

fn space(random: &mut Rng, text: &mut String, faulty: bool) {
    text.push_str(pick(random, SPACES));
    if faulty && random.u8(..60) == 0 {
        text.push_str(pick(random, BROKEN_SPACES));
    }
}

/// Takes bytes out, puts others in, or cuts the rest off.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    const BYTES: &[u8] = b"\"\\{}[]:,0-.eEu \n\x00\x7f\x80\xc3\xed\xa0\xff";
    let at = random.usize(..=bytes.len());
    match random.u8(..4) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, pick(random, BYTES)),
        2 if at < bytes.len() => bytes[at] = pick(random, BYTES),
        _ => drop(bytes.drain(at..(at + random.usize(..3)).min(bytes.len()))),
    }
}

fn pick<T: Copy>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}
