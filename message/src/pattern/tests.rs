use super::*;

#[track_caller]
fn check(glob: &str, matching: &[&str], others: &[&str]) {
    let pattern = Pattern::new(glob);
    for topic in matching {
        assert!(pattern.matches(topic), "{glob:?} should match {topic:?}");
    }
    for topic in others {
        assert!(!pattern.matches(topic), "{glob:?} should not match {topic:?}");
    }
}

#[test]
fn the_empty_pattern_and_the_star_match_everything() {
    check("", &["a", "org.fedoraproject.dev.x\n"], &[]);
    check("*", &["a", "č.\n"], &[]);
    check("**", &["a"], &[]);
}

#[test]
fn a_glob_is_about_the_whole_topic() {
    check("a.b", &["a.b"], &["a.b.c", "x.a.b", "A.b", "a.b\n"]);
    check("a.*", &["a.", "a.b.c", "a.\n"], &["a", "b.a."]);
    check("*.git.*", &["org.git.push", ".git."], &["org.github.push"]);
    check("a?c", &["abc", "a\nc", "ačc"], &["ac", "abbc"]);
}

#[test]
fn brackets_hold_a_class() {
    check("[abč]", &["a", "č"], &["c", "ab", ""]);
    check("[!a-c]", &["d", "\n"], &["b", ""]);
    check("[]x]", &["]", "x"], &["a"]);
    check("[!]x]", &["a"], &["]", "x"]);
    check("[a-]", &["a", "-"], &["b"]);
    check("[--0]", &["-", ".", "0"], &["1"]);
    check("[a-c-e]", &["b", "-", "e"], &["d"]);
    check(r"[\]", &[r"\"], &["x"]);
    check("[[^]", &["[", "^"], &["a"]);
    check("[^a]", &["^", "a"], &["b"]);
}

#[test]
fn a_range_that_runs_backwards_is_empty() {
    check("[z-a]", &[], &["z", "a", "-", "m"]);
    check("[!z-a]", &["z", "-"], &["", "zz"]);
    check("[z-ab]", &["b"], &["z", "a", "-"]);
    // Python takes the `!` for a negation once nothing is left before it.
    check("[z-a!b]", &["a", "!"], &["b"]);
}

#[test]
fn what_is_no_glob_stands_for_itself() {
    check("a[b", &["a[b"], &["ab"]);
    check("a[", &["a["], &["a"]);
    check("[]", &["[]"], &["]"]);
    check("[!]", &["[!]"], &["!"]);
    check(r"a\*", &[r"a\", r"a\b"], &["a*"]);
    check("a.(b|c)+$", &["a.(b|c)+$"], &["axb"]);
}

#[test]
fn many_stars_take_no_exponential_time() {
    check(&("*a".repeat(60) + "*b"), &[&("a".repeat(5000) + "b")], &[&"a".repeat(5000)]);
}

#[test]
fn the_literal_prefix_ends_at_the_first_wildcard() {
    for (glob, prefix) in [
        ("", ""),
        ("*", ""),
        ("a.b", "a.b"),
        ("a.*.b", "a."),
        ("a?", "a"),
        ("a[bc]", "a"),
        ("a[*]b[", "a*b["),
    ] {
        assert_eq!(Pattern::new(glob).literal_prefix(), prefix, "{glob:?}");
    }
}

#[test]
fn a_literal_is_its_own_one_topic() {
    let literal: Vec<&str> = ["a.b", "a[b", "", "*", "a?", "[a]", "[ab]"]
        .into_iter()
        .filter(|g| Pattern::new(g).is_literal())
        .collect();
    assert_eq!(literal, ["a.b", "a[b"]);
}

#[test]
fn patterns_that_nothing_matches_or_that_share_no_topic_are_told() {
    let nothing: Vec<&str> = ["[z-a]", "a.[z-a]*", "[!z-a]", "", "[ab]"]
        .into_iter()
        .filter(|g| Pattern::new(g).is_nothing())
        .collect();
    assert_eq!(nothing, ["[z-a]", "a.[z-a]*"]);
    for (one, other, excludes) in [
        ("a.b", "a.b", false),
        ("a.b", "a.c", true),
        ("a.b", "a.*", false),
        ("a.b", "*.c", true),
        ("a.*", "b.*", true),
        ("a.b.*", "a.*", false),
        ("a.*", "*", false),
        ("a.*", "", false),
        ("a.x*", "a.y*", true),
        ("*x", "*y", false), // They do, but not by their beginnings.
    ] {
        let (one, other) = (Pattern::new(one), Pattern::new(other));
        assert_eq!([one.excludes(&other), other.excludes(&one)], [excludes; 2], "{one} and {other}");
    }
}

#[test]
fn prefix_matching_drops_stars_and_takes_the_rest_for_the_beginning() {
    let git = TopicMatching::Prefix.pattern("org.prod.git*");
    assert!(git.matches("org.prod.github"));
    assert!(!git.matches("org.prod.gi"));
    assert_eq!((git.as_str(), git.literal_prefix()), ("org.prod.git*", "org.prod.git"));
    assert!(!TopicMatching::Prefix.pattern("org.*.git").matches("org.prod.git"));
    assert!(TopicMatching::Prefix.pattern("org.*.git").matches("org..git"));
    assert!(TopicMatching::Prefix.pattern("*").matches("x"));
    assert!(TopicMatching::Prefix.pattern("").matches("x"));
    assert!(TopicMatching::Prefix.pattern("a[b]?").matches("a[b]?c"));
}

#[test]
fn patterns_and_rules_go_through_serde_as_strings() {
    let pattern: Pattern = serde_json::from_str(r#""a.*""#).unwrap();
    assert_eq!(pattern, Pattern::new("a.*"));
    assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""a.*""#);
    assert_eq!(serde_json::from_str::<TopicMatching>(r#""prefix""#).unwrap(), TopicMatching::Prefix);
    assert_eq!(TopicMatching::default(), TopicMatching::Glob);
}
