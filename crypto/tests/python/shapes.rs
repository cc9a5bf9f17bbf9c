//! Message bodies of every shape, as JSON text with the tokens that numbers and strings may have.

use fastrand::Rng;

use crate::TOPIC;

const STRINGS: &[&str] = &[
    r#""""#,
    r#""plain""#,
    r#""h\u00e9 \u2603 \ud83d\ude00""#,
    "\"raw é ☃ 😀 \u{7f}\"",
    r#""\u0000\u001f\b\t\n\f\r\"\\\/ < > & '""#,
    r#""\ud800 alone""#,
    r#""\uDFFF\uD83D""#,
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-17",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.0",
    "-0.0",
    "1.0",
    "1.50",
    "1E5",
    "1e16",
    "1e22",
    "1e-5",
    "1e-7",
    "5e-324",
    "0.1",
    "0.10000000000000001",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "1795216482.123456",
    "9007199254740993",
];

const KEYS: &[&str] = &[
    r#""a""#,
    r#""B""#,
    r#""a.b""#,
    r#""10""#,
    r#""9""#,
    r#""\u00e9""#,
    "\"😀\"",
    r#""\ud800""#,
    r#""signature""#,
    r#""certificate""#,
    r#""""#,
];

/// A body with that topic, and perhaps with everything else a body may have, in any order.
pub(crate) fn body(random: &mut Rng) -> String {
    let mut members = vec![format!(r#""topic":"{TOPIC}""#), format!(r#""msg":{}"#, value(random, 4))];
    let mut perhaps = |random: &mut Rng, member: String| {
        if random.bool() {
            members.push(member);
        }
    };
    let i = random.u32(..);
    perhaps(random, format!(r#""i":{i}"#));
    let timestamp = pick(random, NUMBERS);
    perhaps(random, format!(r#""timestamp": {timestamp}"#));
    perhaps(random, r#""msg_id" : "2026-6f1cf2b7-6a8a-4f9b-9b1c-0c2b8b7e5a11""#.to_owned());
    let username = pick(random, STRINGS);
    perhaps(random, format!(r#""username":{username}"#));
    let headers = object(random, 2);
    perhaps(random, format!(r#""headers":{headers}"#));
    perhaps(random, format!(r#""seq_id":{i}"#));
    perhaps(random, r#""crypto":"x509""#.to_owned());
    let (key, other) = (pick(random, &KEYS[..7]), value(random, 2));
    perhaps(random, format!("{key}:{other}"));
    perhaps(random, r#""msg":"the first of two""#.to_owned());
    random.shuffle(&mut members);
    format!("{{{}}}", members.join(if random.bool() { "," } else { ", " }))
}

fn value(random: &mut Rng, depth: u32) -> String {
    match random.u8(..if depth == 0 { 4 } else { 8 }) {
        0 | 1 => pick(random, STRINGS).to_owned(),
        2 => pick(random, NUMBERS).to_owned(),
        3 => pick(random, &["null", "true", "false", "[]", "{}"]).to_owned(),
        4 => {
            let items: Vec<String> = (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", items.join(" ,\n"))
        }
        5 => format!("{}{}{}", "[".repeat(300), value(random, 0), "]".repeat(300)),
        _ => object(random, depth - 1),
    }
}

fn object(random: &mut Rng, depth: u32) -> String {
    let members: Vec<String> =
        (0..random.usize(..5)).map(|_| format!("{}:{}", pick(random, KEYS), value(random, depth))).collect();
    format!("{{{}}}", members.join(","))
}

fn pick<'t>(random: &mut Rng, from: &[&'t str]) -> &'t str {
    from[random.usize(..from.len())]
}
