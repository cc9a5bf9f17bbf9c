use serde_json::json;

use super::scan::MAX_DEPTH;
use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let written = canonical(text).map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(written.as_deref(), Ok(expected), "{text}");
}

#[test]
fn the_canonical_form_is_compact_and_ascii() {
    check(" { \"a\" : [ 1 , null ] } ", r#"{"a":[1,null]}"#);
    check("[NaN,-Infinity,1e400]", "[NaN,-Infinity,Infinity]");
    check("\"č/\u{7f}\u{10ffff}\"", r#""\u010d/\u007f\udbff\udfff""#);
    check(r#""\/\u0041\u001F\b""#, r#""/A\u001f\b""#);
}

#[test]
fn keys_are_sorted_by_code_point_and_the_last_of_equals_counts() {
    check(r#"{"b":1,"a":2,"b":3,"\u0061":4}"#, r#"{"a":4,"b":3}"#);
    // As UTF-16, the astral character would come before the private one.
    check("{\"𝕏\":1,\"\u{e000}\":2,\"\\ud83d\":3}", r#"{"\ud83d":3,"\ue000":2,"\ud835\udd4f":1}"#);
    check(r#"{"𝕏":1,"\ud835\udd4f":2}"#, r#"{"\ud835\udd4f":2}"#);
}

#[test]
fn lone_surrogates_survive() {
    check(
        r#"["\ud835","\udd4f\ud835","\ud835\ud835\udd4f"]"#,
        r#"["\ud835","\udd4f\ud835","\ud835\ud835\udd4f"]"#,
    );
}

#[test]
fn a_text_may_be_as_deep_as_python_reads_it_and_no_deeper() {
    let arrays = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
    check(&arrays(MAX_DEPTH), &arrays(MAX_DEPTH));
    let objects = [r#"{"b":0,"a":"#.repeat(MAX_DEPTH), "1".to_owned(), "}".repeat(MAX_DEPTH)].concat();
    let sorted = [r#"{"a":"#.repeat(MAX_DEPTH), "1".to_owned(), r#","b":0}"#.repeat(MAX_DEPTH)].concat();
    check(&objects, &sorted);
    assert_eq!(canonical(&arrays(MAX_DEPTH)[1..]).unwrap_err().problem, Problem::TrailingText);
    for depth in [MAX_DEPTH + 1, 7_000_000] {
        let error = canonical(&arrays(depth)).unwrap_err();
        assert_eq!((error.at, error.problem), (MAX_DEPTH, Problem::TooDeep));
    }
}

#[test]
fn the_pretty_form_keeps_the_order_of_keys() {
    let pretty = pretty(r#"{"b":[1,{}],"a":[],"b":[2,{"c":"č"}]}"#).unwrap();
    let expected = r#"{
  "b": [
    2,
    {
      "c": "\u010d"
    }
  ],
  "a": []
}"#;
    assert_eq!(String::from_utf8(pretty).unwrap(), expected);
}

#[test]
fn values_are_written_in_the_canonical_form() {
    let value = json!({ "z": 1e22, "a": ["č", -0.0, 1.5], "n": null });
    assert_eq!(to_canonical(&value).unwrap(), br#"{"a":["\u010d",-0.0,1.5],"n":null,"z":1e+22}"#);
}

#[test]
fn a_refusal_says_what_and_where() {
    for (text, at, problem) in [
        ("", 0, Problem::ExpectedValue),
        ("\u{feff}{}", 0, Problem::ExpectedValue),
        ("[1,]", 3, Problem::ExpectedValue),
        ("[nul]", 1, Problem::ExpectedValue),
        ("[-]", 1, Problem::ExpectedValue),
        ("{1:2}", 1, Problem::ExpectedKey),
        (r#"{"a" 1}"#, 5, Problem::ExpectedColon),
        ("[1 2]", 3, Problem::ExpectedComma),
        ("[1}", 2, Problem::ExpectedComma),
        ("[1.]", 2, Problem::ExpectedComma),
        ("[1", 2, Problem::ExpectedComma),
        ("01", 1, Problem::TrailingText),
        (r#"["abc"#, 1, Problem::UnterminatedString),
        ("[\"a\tb\"]", 3, Problem::ControlCharacter),
        (r#"["\x"]"#, 2, Problem::InvalidEscape),
        (r#"["\u12g4"]"#, 2, Problem::InvalidEscape),
        (&"9".repeat(4301), 0, Problem::HugeInteger),
    ] {
        assert_eq!(canonical(text), Err(Error { at, problem }), "{text}");
    }
}

#[test]
fn the_longest_integer_and_longer_floats_are_accepted() {
    let integer = format!("-{}", "9".repeat(4300));
    check(&integer, &integer);
    check(&format!("{}.0", "9".repeat(5000)), "Infinity");
}

#[test]
fn what_ends_a_string_is_found_at_every_place() {
    for len in 0..40 {
        let plain = "é".repeat(len / 2) + &"a".repeat(len % 2);
        check(&format!(r#"["{plain}","\n{plain}"]"#), &{
            let written = plain.replace('é', r"\u00e9");
            format!(r#"["{written}","\n{written}"]"#)
        });
        let control = format!("\"{plain}\u{1f}");
        assert_eq!(canonical(&control), Err(Error { at: len + 1, problem: Problem::ControlCharacter }));
    }
}

#[test]
fn members_are_those_of_the_outermost_object() {
    let mut seen = Vec::new();
    members(r#" {"a": {"b": [1]}, "\u0063": "d", "e": [ ]} "#, |key, value| seen.push((key, value))).unwrap();
    assert_eq!(seen, [(r#""a""#, r#"{"b": [1]}"#), (r#""\u0063""#, r#""d""#), (r#""e""#, "[ ]")]);
    let refused = members(r#" [{"a":1}]"#, |_, _| panic!("there is no object"));
    assert_eq!(refused, Err(Error { at: 1, problem: Problem::NotAnObject }));
}

#[test]
fn an_object_is_edited_on_its_first_level_only() {
    let edit = |object| {
        edited(object, |key, value| match key {
            Some("out") => None,
            Some("new") => Some("[1]".into()),
            _ => Some(value.into()),
        })
    };
    let object = r#" {"o\u0075t": {}, "a": {"out":1}, "\ud800":1e400, "new" : null} "#;
    assert_eq!(edit(object).unwrap(), r#"{"a":{"out":1},"\ud800":1e400,"new":[1]}"#);
    assert_eq!(edit(r#"{"out":1}"#).unwrap(), "{}");
    assert!(edit("[]").is_err());
}

#[test]
fn strings_are_decoded_unless_no_text_can_hold_them() {
    assert_eq!(decode(r#""a""#).unwrap(), "a");
    assert_eq!(decode(r#""\u0061\ud835\udd4f\n""#).unwrap(), "a𝕏\n");
    assert_eq!(decode(r#""\ud835""#), None);
    assert_eq!(decode("1"), None);
}
