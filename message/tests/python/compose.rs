use message::{Draft, Topic};
use serde::Serialize;

use crate::documents::document;
use crate::{python, random};

#[derive(Serialize)]
struct Case {
    i: u64,
    msg: String,
    msg_id: String,
    timestamp: i64,
    topic: String,
    username: String,
}

#[test]
fn bodies_are_composed_byte_for_byte_as_by_python() {
    let mut random = random();
    let falsy = ["null", "false", "0", "-0", "0.0", "-0.0", "1e-999", r#""""#, "[]", "{}", " [ ] "];
    let generated =
        std::iter::from_fn(|| String::from_utf8(document(&mut random)).ok().or(Some(String::new())))
            .filter(|text| message::json::canonical(text).is_ok())
            .take(2000);
    let messages: Vec<String> = generated.chain(falsy.map(str::to_owned)).collect();
    let cases: Vec<Case> = messages
        .into_iter()
        .map(|msg| Case {
            i: random.u64(..),
            msg,
            msg_id: message::msg_id(2026, "4f6c2e3a-7c1d-4a53-9c1f-0d6f6b0c9f11"),
            timestamp: random.i64(..),
            topic: format!("org.fedoraproject.dev.{}", random.char(..)),
            username: format!("{}oot \"{}", random.char(..), random.char(..)),
        })
        .collect();
    let answers: Vec<String> = python("composed", &cases);
    for (case, answer) in cases.iter().zip(answers) {
        let topic = Topic::new(&case.topic).unwrap();
        let Case { i, msg, msg_id, timestamp, username, .. } = case;
        let draft = Draft { i: *i, msg, msg_id, timestamp: *timestamp, topic: &topic, username };
        assert_eq!(String::from_utf8(draft.body().unwrap()).unwrap(), answer);
    }
}
