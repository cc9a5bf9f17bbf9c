use std::collections::BTreeMap;

use serde::Deserialize;

use super::read;

#[derive(Debug, Deserialize, PartialEq)]
struct Bot {
    nick: String,
    #[serde(default)]
    networks: Vec<Network>,
    method: Option<Method>,
    #[serde(default)]
    colours: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Network {
    host: String,
    #[serde(default = "irc_port")]
    port: u16,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Method {
    Notice,
    Custom { command: String },
}

fn irc_port() -> u16 {
    6667
}

fn problems(json: &str) -> Vec<String> {
    read::<Bot>(json).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_table_that_fits_is_read() {
    let bot: Bot = read(
        r#"{"nick":"n","networks":[{"host":"h"}],"method":{"custom":{"command":"c"}},"colours":{"git":3}}"#,
    )
    .unwrap();
    assert_eq!(bot.networks, [Network { host: "h".into(), port: 6667 }]);
    assert_eq!(bot.method, Some(Method::Custom { command: "c".into() }));
    assert_eq!(bot.colours["git"], 3);
    assert_eq!(read::<Bot>(r#"{"nick":"n","method":"notice"}"#).unwrap().method, Some(Method::Notice));
}

#[test]
fn unknown_keys_are_named_with_what_may_be_meant_and_all_at_once() {
    assert_eq!(
        problems(r#"{"nick":"n","netwroks":[],"networks":[{"host":"h","prot":1}],"zzzzzz":0}"#),
        [
            "netwroks: unknown key; did you mean `networks`?",
            "zzzzzz: unknown key; there are `nick`, `networks`, `method`, `colours`",
            "networks.0.prot: unknown key; did you mean `port`?",
        ]
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named_by_its_place() {
    assert_eq!(
        problems(r#"{"nick":"n","networks":[{"host":"a"},{"host":"b","port":"x"}]}"#),
        [r#"networks.1.port: invalid type: string "x", expected u16"#]
    );
    assert_eq!(
        problems(r#"{"nick":"n","colours":{"git":300}}"#),
        ["colours.git: invalid value: integer `300`, expected u8"]
    );
    assert_eq!(
        problems(r#"{"nick":"n","method":"shout"}"#),
        ["method: unknown variant `shout`, expected `notice` or `custom`"]
    );
}

#[test]
fn a_value_that_is_refused_after_it_was_read_is_named_by_its_place() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "none of it is read")]
    struct Rates {
        #[serde(default)]
        lines: Vec<Line>,
        #[serde(default)]
        by_name: BTreeMap<Short, Option<Rate>>,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "none of it is read")]
    struct Line {
        rate: Rate,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "i64")]
    struct Rate;
    impl TryFrom<i64> for Rate {
        type Error = &'static str;
        fn try_from(_: i64) -> Result<Self, Self::Error> {
            Err("no rate")
        }
    }
    #[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    #[serde(try_from = "String")]
    struct Short;
    impl TryFrom<String> for Short {
        type Error = &'static str;
        fn try_from(name: String) -> Result<Self, Self::Error> {
            if name.len() > 3 { Err("too long") } else { Ok(Self) }
        }
    }
    let problem = |json| read::<Rates>(json).unwrap_err()[0].to_string();
    assert_eq!(problem(r#"{"lines":[{"rate":-1}]}"#), "lines.0.rate: no rate");
    assert_eq!(problem(r#"{"by_name":{"a":null,"b":1}}"#), "by_name.b: no rate");
    assert_eq!(problem(r#"{"by_name":{"long":1}}"#), "by_name.long: too long");
}

#[test]
fn a_missing_key_is_told_beside_an_unknown_one() {
    assert_eq!(
        problems(r#"{"nik":"n"}"#),
        ["nik: unknown key; did you mean `nick`?", "missing field `nick`"]
    );
    assert_eq!(problems(r#"{"nick":"n","networks":[{}]}"#), ["networks.0: missing field `host`"]);
}

#[test]
fn an_unknown_key_in_a_variant_is_found_too() {
    assert_eq!(
        problems(r#"{"nick":"n","method":{"custom":{"command":"c","delay":1}}}"#),
        ["method.custom.delay: unknown key"]
    );
}

#[test]
fn the_unit_is_the_configuration_of_a_consumer_without_one() {
    assert_eq!(read::<()>("{}"), Ok(()));
    let problems = read::<()>(r#"{"verbose":true}"#).unwrap_err();
    assert_eq!(problems[0].to_string(), "verbose: unknown key; there are none here");
}
