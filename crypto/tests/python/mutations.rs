//! Certificates and signatures with random damage. Whatever is done to them, both sides must agree.

use crypto::{Reason, Verdict};
use fastrand::Rng;
use message::Envelope;
use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::{TOPIC, file, pki, random, rules, validator};

const MUTATIONS: usize = 4000;

#[test]
fn damaged_pem_and_base64_are_judged_as_by_python() {
    let mut random = random();
    let mut oracle = Oracle::start();
    let rules = rules();
    let validator = validator(&rules);
    let body = oracle.sign(r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{}}"#, pki(), "good");
    let good: Value = serde_json::from_str(&body).unwrap();
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    let (pem, others) =
        (read("good.crt"), [read("ca.crt"), read("good.key"), read("crl"), read("other.crt")]);
    let mut valid = 0;
    for _ in 0..MUTATIONS {
        let mut body = good.clone();
        let what = if random.u8(..5) == 0 {
            let field = if random.bool() { "signature" } else { "certificate" };
            let text = damage(&mut random, good[field].as_str().unwrap(), &[]);
            body[field] = json!(text);
            text
        } else {
            let text =
                (0..random.usize(1..3)).fold(pem.clone(), |text, _| damage(&mut random, &text, &others));
            body["certificate"] = json!(openssl::base64::encode_block(text.as_bytes()));
            text
        };
        let body = body.to_string();
        let ours = validator.validate(TOPIC, &Envelope::parse(body.as_bytes()).unwrap());
        let python = oracle.rejects(TOPIC, &body, &rules);
        // See `a_certificate_that_two_readers_read_differently_is_none`.
        let ambiguous = what.matches("-----BEGIN ").count() > 1
            && matches!(ours, Verdict::Invalid { reason: Reason::NotACertificate, .. });
        assert!(ours.is_valid() == python.is_none() || ambiguous, "{ours:?}, Python: {python:?}\n{what}");
        valid += usize::from(ours.is_valid());
    }
    assert!((MUTATIONS / 10..MUTATIONS * 9 / 10).contains(&valid), "{valid} of {MUTATIONS}: a poor sample");
}

#[test]
fn a_certificate_that_two_readers_read_differently_is_none() {
    let mut oracle = Oracle::start();
    let rules = rules();
    // Anybody's key signs, and in front of its certificate stands that of somebody trusted, as it is in every message.
    let body = oracle.sign(r#"{"topic":"org.fedoraproject.dev.logger.log","msg":{}}"#, pki(), "self-signed");
    let mut forged: Value = serde_json::from_str(&body).unwrap();
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    let both = format!(" {}{}", read("self-signed.crt"), read("good.crt"));
    forged["certificate"] = json!(openssl::base64::encode_block(both.as_bytes()));
    let forged = forged.to_string();
    assert_eq!(oracle.rejects(TOPIC, &forged, &rules), None, "Python has been mended: hold this crate to it");
    let verdict = validator(&rules).validate(TOPIC, &Envelope::parse(forged.as_bytes()).unwrap());
    assert_eq!(verdict, Verdict::Invalid { reason: Reason::NotACertificate, cn: None });
}

/// One change to a text, of the sort that readers of PEM are at odds about.
fn damage(random: &mut Rng, text: &str, others: &[String]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some((at, character)) = random.choice(text.char_indices().collect::<Vec<_>>()) else {
        return text.to_owned();
    };
    let line = random.usize(..lines.len());
    match random.u8(..if others.is_empty() { 12 } else { 22 }) {
        0 => lines.insert(line, "\n".to_owned()),
        1 => lines.insert(line, " \t\n".to_owned()),
        2 => drop(lines.remove(line)),
        3 => lines[line] = lines[line].replace('\n', "\r\n"),
        4 => lines[line] = lines[line].replace('\n', "  \n"),
        5 => lines[line].insert(0, pick(random, &[' ', '\t', '=', '-', '\0'])),
        6 => lines[line] = lines[line].replace('\n', ""),
        7 => lines.insert(
            line,
            pick(random, &["some text\n", "A: b\n", "A: b\n\n", "AAAA\n", "====\n", "#\n"]).to_owned(),
        ),
        8 => return [&text[..at], &text[at + character.len_utf8()..]].concat(),
        9 => {
            return [&text[..at], pick(random, &["A", "=", "\n", "-", " ", "+/", "é", "\u{0}"]), &text[at..]]
                .concat();
        }
        10 => return text[..at].to_owned(),
        11 => return text.replace('\n', pick(random, &["", "\r\n", "\r", "\n\n", "\n "])),
        12 => return pick(random, others) + text,
        13 => return text.to_owned() + &pick(random, others),
        14 => {
            return text.replace(
                " CERTIFICATE",
                pick(
                    random,
                    &[" X509 CERTIFICATE", " TRUSTED CERTIFICATE", " CERT", "CERTIFICATE", " certificate"],
                ),
            );
        }
        15 => return text.replacen(" CERTIFICATE", " X509 CERTIFICATE", 1),
        16 => {
            let header = pick(random, &["X: y\n\n", "X: y\n"]);
            lines.insert(1, header.to_owned());
        }
        17 => return rewrapped(&inner(text), random.usize(1..400)),
        18 | 19 => {
            let Ok(mut der) = openssl::base64::decode_block(&inner(text)) else { return text.to_owned() };
            let at = random.usize(..=der.len());
            match (random.bool(), der.get_mut(at)) {
                (true, Some(byte)) => *byte ^= 1 << random.u8(..8),
                _ => der.insert(at, random.u8(..)),
            }
            return rewrapped(&openssl::base64::encode_block(&der), 64);
        }
        20 => return [text, "-----BEGIN ", &text[at..]].concat(),
        _ => return ["text ", text].concat(),
    }
    lines.concat()
}

fn inner(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// PEM with lines of that length.
fn rewrapped(base64: &str, width: usize) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn pick<T: Clone>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())].clone()
}
