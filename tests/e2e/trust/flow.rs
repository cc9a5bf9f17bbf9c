//! The whole way: a Python publisher with a key, our relay, our hub.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{Hub, Lines, Recorder, Scratch, TestPublisher};
use serde_json::{Value, json};

use super::{Python, publish_signed, rejected, signer, trust};

/// A message that Python sends, and what our hub is to find out.
struct Case {
    order: Value,
    verdict: &'static str,
    rule: Option<&'static str>,
    /// The name in the certificate, as far as there is one to be read.
    cn: Option<&'static str>,
}

fn case(rule: &'static str, key: &'static str, more: &Value) -> Case {
    let mut order = json!({"modname": "logger", "topic": "log", "msg": {"of": key}, "key": key});
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match rule {
        "valid" => Case { order, verdict: "Valid", rule: None, cn: Some(key) },
        "unsigned" => Case { order, verdict: "Unsigned", rule: Some(rule), cn: None },
        _ => Case { order, verdict: "Invalid", rule: Some(rule), cn: Some(key) },
    }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("valid", "good", &json!({"msg": {"text": "snöwman ☃", "n": [1, 1.0, 1e16, -0.0]}})),
        case("topic_mismatch", "good", &json!({"change": {"topic": "org.fedoraproject.dev.git.push"}})),
        case("revoked", "revoked", &json!({})),
        case("expired", "expired", &json!({})),
        case("not_yet_valid", "not-yet", &json!({})),
        case("untrusted", "stranger", &json!({})),
        case("untrusted", "foreign", &json!({})),
        case("not_permitted", "other", &json!({"modname": "git", "topic": "push"})),
        case("valid", "good", &json!({"modname": "git", "topic": "push"})),
        case("unsigned", "", &json!({"key": null})),
        case("not_text", "good", &json!({"change": {"signature": null}})),
    ];
    cases
        .extend((0..20).map(|n| case("bad_signature", "good", &json!({"change": {"msg": {"tampered": n}}}))));
    cases.push(case("valid", "other", &json!({"topic": "last"})));
    cases
}

#[test]
fn only_what_is_signed_valid_and_allowed_reaches_who_validates_and_all_else_is_accounted_for() {
    let scratch = Scratch::new();
    let (all, trusted) = (Recorder::listen(&scratch, "all"), Recorder::listen(&scratch, "trusted"));
    let (inbound, outbound) = (scratch.ipc("inbound"), scratch.ipc("outbound"));
    let endpoint = format!("endpoints.relay_outbound = \"{outbound}\"");
    let _relay = Hub::builder(&scratch)
        .name("relay")
        .plugin("relay")
        .config(&format!("{endpoint}\nendpoints.relay_inbound = \"{inbound}\""))
        .config("fedmsg.consumers.relay.enabled = true")
        .start();
    let builder = Hub::builder(&scratch)
        .config(&endpoint)
        .plugin("recorder")
        .config(&format!(
            "recorder = {{ enabled = true, path = \"{}\", validate_signatures = false }}",
            all.path()
        ))
        .config(&format!("answering = {{ enabled = true, path = \"{}\" }}", trusted.path()))
        .config(&trust())
        .config("validate_signatures = true")
        .config("routing_policy.\"org.fedoraproject.dev.git.push\" = [\"good\"]");
    let state_dir = builder.state_dir();
    let mut hub = builder.start();
    let mut python = Python::connect(&scratch, &inbound);
    knock(&mut python, &all);

    let cases = cases();
    let ids: Vec<_> = cases.iter().map(|case| python.publish(&case.order)).collect();
    let last = ids.last().unwrap();
    for recorder in [&all, &trusted] {
        recorder.wait_until("the last message", |record| record["msg_id"] == **last);
    }
    assert_eq!(hub.stop().code(), Some(0));

    let got = |recorder: &Recorder| -> Vec<Value> {
        recorder.all().into_iter().filter(|record| ids.iter().any(|id| record["msg_id"] == **id)).collect()
    };
    let said = |record: &Value| ["msg_id", "verdict", "signer"].map(|field| record[field].clone());
    let (of_all, of_trusted) = (got(&all), got(&trusted));
    let expected = cases.iter().zip(&ids).map(|(case, id)| {
        let signer = case.cn.filter(|_| case.rule.is_none());
        [json!(id), json!(case.verdict), json!(signer)]
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(Vec::from_iter(of_all.iter().map(said)), expected);
    let valid: Vec<_> = expected.into_iter().filter(|[_, verdict, _]| verdict == "Valid").collect();
    assert_eq!(Vec::from_iter(of_trusted.iter().map(said)), valid);

    let distrusted = cases.iter().zip(&of_all).filter_map(|(case, record)| Some((case.rule?, case, record)));
    let distrusted: Vec<_> = distrusted.collect();
    assert_logged(hub.log(), &distrusted);
    assert_recorded(&rejected(&scratch, &state_dir), &distrusted);
}

/// A message that is not to be trusted: the rule, and what the consumer that takes everything got.
type Distrusted<'c> = (&'static str, &'c Case, &'c Value);

/// Each rule is in the log with the first message that broke it, none as often as it was broken, and all are counted.
fn assert_logged(log: &Lines, distrusted: &[Distrusted<'_>]) {
    let mut counts = BTreeMap::new();
    for (rule, case, record) in distrusted {
        let count = counts.entry(rule).or_insert(0);
        *count += 1;
        if *count > 1 {
            continue;
        }
        let said = log.wait_for(&format!("msg_id={}", record["msg_id"]));
        let (topic, rule_word) = (format!("topic={}", record["topic"]), format!("rule=\"{rule}\""));
        for part in ["message not trusted", "endpoint=relay_outbound", &topic, &rule_word] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        // Before the topic is found right, and where a field is no text, nothing else is looked at.
        let read = !matches!(*rule, "topic_mismatch" | "not_text");
        assert_eq!(case.cn.filter(|_| read), cn(&said), "{said}");
    }
    let complaints = log.all().iter().filter(|line| line.contains("rule=\"bad_signature\"")).count();
    assert!(complaints < counts[&"bad_signature"], "the log is flooded: {complaints} lines");
    let said = log.wait_for("intake stopped");
    for (rule, count) in &counts {
        assert!(said.contains(&format!("relay_outbound:{rule}={count}")), "{rule}={count} is not in {said}");
    }
}

/// Each is recorded under its number in the journal.
fn assert_recorded(outcomes: &[Value], distrusted: &[Distrusted<'_>]) {
    assert_eq!(outcomes.len(), distrusted.len());
    for (outcome, (rule, _, record)) in outcomes.iter().zip(distrusted) {
        assert_eq!((&outcome["offset"], &outcome["endpoint"]), (&record["offset"], &record["endpoint"]));
        assert!(outcome["reason"].as_str().unwrap().starts_with(&format!("{rule}: ")), "{outcome}");
    }
}

/// Sends until the hub hears it: nobody else says when the relay is connected.
fn knock(python: &mut Python, recorder: &Recorder) {
    let order = json!({"modname": "logger", "topic": "knock", "msg": {}, "key": "good"});
    for _ in 0..100 {
        python.publish(&order);
        let heard = |lines: &[String]| (!lines.is_empty()).then_some(());
        if recorder.lines().wait_within(Duration::from_millis(200), heard).is_ok() {
            return;
        }
    }
    panic!("nobody hears");
}

/// The name in a line of the log.
fn cn(line: &str) -> Option<&str> {
    line.split_once("cn=\"")?.1.split('"').next()
}

#[test]
fn a_relay_that_validates_repeats_only_what_is_signed_and_accounts_for_the_rest() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut hub = Hub::builder(&scratch)
        .plugin("relay")
        .recorder(&recorder)
        .config(&format!("endpoints.relay_inbound = \"{}\"", scratch.ipc("inbound")))
        .config(&format!("endpoints.relay_outbound = \"{}\"", scratch.ipc("outbound")))
        .config("fedmsg.consumers.relay = { enabled = true, validate_signatures = true }")
        .config(&trust())
        .start();
    let mut publisher = TestPublisher::connect(&scratch.ipc("inbound"));
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    publish_signed(&mut publisher, &signer("good"), "t", 1);
    assert_eq!(recorder.wait_for(1)[0]["msg"], json!({"n": 1}));
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 1);
    let said = hub.log().wait_for("intake stopped");
    assert!(said.contains(r#"not_trusted="relay_inbound:unsigned=1""#), "{said}");
}

#[test]
fn no_other_message_under_the_id_of_a_signed_one_keeps_it_out_and_a_forgery_counts_each_time() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .config(&trust())
        .config("validate_signatures = true")
        .start();
    publisher.wait_for_subscriber("t");
    let body = publisher.compose("t", r#"{"n": 0}"#);
    let [genuine, anothers] = ["good", "other"].map(|by| signer(by).sign(&body).unwrap());
    let forged = String::from_utf8(genuine.clone()).unwrap().replace(r#""n":0"#, r#""n":1"#);
    for body in [forged.as_bytes(), forged.as_bytes(), &anothers, &genuine, &genuine] {
        publisher.send("t", body);
    }
    let records = recorder.wait_for(2);
    assert_eq!([&records[0]["signer"], &records[1]["signer"]], ["other", "good"]);
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 2);
    let said = hub.log().wait_for("intake stopped");
    assert!(said.contains(r#"not_trusted="e:bad_signature=2""#), "{said}");
    assert!(said.contains("duplicate=2"), "{said}");
}

#[test]
fn while_signatures_are_checked_by_many_threads_each_endpoints_messages_keep_their_order() {
    const EACH: u64 = 400;
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publishers = [TestPublisher::default(), TestPublisher::default()];
    let _hub = Hub::builder(&scratch)
        .recorder(&recorder)
        .config(&format!(
            "endpoints.first = \"{}\"\nendpoints.second = \"{}\"",
            publishers[0].address(),
            publishers[1].address()
        ))
        .config(&trust())
        .config("validate_signatures = true")
        .start();
    for publisher in &mut publishers {
        publisher.wait_for_subscriber("t");
    }
    // A key of 4096 bits takes several times as long as one of 1024.
    let signers = ["bits-1024", "good", "bits-4096"].map(signer);
    for (n, signer) in (0..EACH).zip(signers.iter().cycle()) {
        for publisher in &mut publishers {
            publish_signed(publisher, signer, "t", n);
        }
    }
    let records = recorder.wait_for(2 * EACH as usize);
    for endpoint in ["first", "second"] {
        let of_endpoint = records.iter().filter(|record| record["endpoint"] == endpoint);
        let numbers: Vec<_> = of_endpoint.map(|record| record["msg"]["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, Vec::from_iter(0..EACH), "{endpoint}");
    }
    assert!(records.iter().all(|record| record["verdict"] == "Valid"));
}
