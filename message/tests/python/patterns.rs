use message::{Pattern, PatternSet};

use crate::{python, random};

const PAIRS: usize = 25_000;

const IN_PATTERNS: &[&str] = &[
    "a", "b", "c", ".", ".a", "č", "𝕏", "-", "!", "^", "\\", "]", "\n", "*", "*", "*", "?", "**", "&&", "$",
];
const IN_CLASSES: &[&str] =
    &["a", "b", "c", "-", "-", "!", "]", "^", "[", "\\", "č", "&&", "||", "~~", ".", "*"];
const IN_TOPICS: &[char] = &['a', 'b', 'c', '.', 'č', '𝕏', '-', '!', '^', '\\', ']', '[', '\n', '&'];

#[test]
fn patterns_match_what_fnmatchcase_matches() {
    let mut random = random();
    let pairs: Vec<(String, String)> = (0..PAIRS).map(|_| pair(&mut random)).collect();
    let answers: Vec<bool> = python("matches", &pairs);
    let matching = answers.iter().filter(|&&answer| answer).count();
    assert!(
        (PAIRS / 4..PAIRS * 3 / 4).contains(&matching),
        "{matching} of {PAIRS} pairs match: a poor sample"
    );
    for ((pattern, topic), answer) in pairs.iter().zip(answers) {
        assert_eq!(Pattern::new(pattern).matches(topic), answer, "pattern {pattern:?}, topic {topic:?}");
    }
}

#[test]
fn a_set_matches_what_its_patterns_match() {
    let mut random = random();
    for _ in 0..200 {
        let pairs: Vec<(String, String)> = (0..60).map(|_| pair(&mut random)).collect();
        let patterns: Vec<Pattern> = pairs.iter().map(|(pattern, _)| Pattern::new(pattern)).collect();
        let set: PatternSet<usize> = patterns.iter().cloned().zip(0..).collect();
        for (_, topic) in &pairs {
            let each: Vec<usize> = (0..patterns.len()).filter(|&key| patterns[key].matches(topic)).collect();
            assert_eq!(set.matches(topic), each, "topic {topic:?}, patterns {patterns:?}");
        }
    }
}

/// A pattern that isn't empty, which has its own meaning here, and a topic that it has a fair chance to
/// match.
fn pair(random: &mut fastrand::Rng) -> (String, String) {
    let (mut pattern, mut topic) = (String::new(), String::new());
    for _ in 0..random.usize(1..7) {
        let piece = if random.u8(..5) == 0 { class(random) } else { pick(random, IN_PATTERNS).to_owned() };
        match piece.as_str() {
            "*" | "**" => topic.extend((0..random.usize(..4)).map(|_| pick(random, IN_TOPICS))),
            "?" => topic.push(pick(random, IN_TOPICS)),
            class if class.starts_with('[') => {
                let inside: Vec<char> = class.chars().skip(1).chain(['b']).collect();
                topic.push(pick(random, &inside));
            }
            literal => topic.push_str(literal),
        }
        pattern.push_str(&piece);
    }
    if random.u8(..6) == 0 {
        let at: Vec<usize> = topic.char_indices().map(|(at, _)| at).chain([topic.len()]).collect();
        topic.insert(pick(random, &at), pick(random, IN_TOPICS));
    }
    (pattern, topic)
}

/// What stands in brackets, now and then without the closing one.
fn class(random: &mut fastrand::Rng) -> String {
    let mut class = "[".to_owned();
    class.extend((0..random.usize(..7)).map(|_| pick(random, IN_CLASSES)));
    if random.u8(..8) > 0 {
        class.push(']');
    }
    class
}

fn pick<T: Copy>(random: &mut fastrand::Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}
