//! Endpoints lead elsewhere while messages flow.

use super::*;

#[test]
fn of_an_endpoint_whose_addresses_change_those_that_stay_notice_nothing() {
    let scratch = Scratch::new();
    let recorder = Recorder::pipe(&scratch, "recorder");
    let mut steady = TestPublisher::default();
    let mut others = [(); 2].map(|()| TestPublisher::default());
    let (stays, goes) = (steady.address().clone(), others.each_ref().map(|other| other.address().clone()));
    let with = |round: usize| {
        told(&scratch)
            .config(&format!("endpoints.e = [\"{}\", \"{stays}\"]", goes[round % 2]))
            .plugin("recorder")
            .config(&format!("recorder = {{ enabled = true, path = \"{}\" }}", recorder.path()))
    };
    let mut hub = with(0).start();
    steady.wait_for_subscriber("t.");
    let (end, sent) = load(steady);
    let rounds = rounds(20, 200) as usize;
    for round in 1..=rounds {
        let done = reload(&scratch, &with(round));
        assert_eq!((&*done.stdout, done.status.code()), ("changed endpoint e", Some(0)), "{}", done.stderr);
        others[round % 2].wait_for_subscriber("t.");
        others[(round + 1) % 2].wait_until_unsubscribed("t.");
    }
    assert_eq!(count(&hub, "connection lost"), 0);
    drop(end);
    let sent = sent.join().unwrap();
    let status = Process::run(&scratch, "status", with(0).command().args(["status", "--json"]), "");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let connects = |address: &bus::Address| {
        let addresses = status["endpoints"][0]["addresses"].as_array().unwrap();
        let address = addresses.iter().find(|it| it["address"] == address.to_string()).unwrap();
        address["connects"].as_u64().unwrap() as usize
    };
    assert_eq!((connects(&stays), connects(&goes[rounds % 2])), (1, rounds / 2 + 1));
    assert_eq!(hub.stop().code(), Some(0));
    let numbers: Vec<_> = recorder.take().iter().map(|record| record["msg"]["n"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..sent), "of {sent}, {} came: {numbers:?}", numbers.len());
}

#[test]
fn an_address_that_gets_another_name_loses_nothing() {
    let scratch = Scratch::new();
    let recorder = Recorder::pipe(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let address = publisher.address().clone();
    let named = |name: &str| {
        let hub = told(&scratch).plugin("recorder");
        let recorder = format!("recorder = {{ enabled = true, path = \"{}\" }}", recorder.path());
        hub.config(&format!("endpoints.{name} = \"{address}\"\n{recorder}"))
    };
    let mut hub = named("a").start();
    publisher.wait_for_subscriber("");
    let (end, sent) = load(publisher);
    for name in ["b", "a", "b"] {
        assert_eq!(reload(&scratch, &named(name)).status.code(), Some(0));
    }
    drop(end);
    let sent = sent.join().unwrap();
    assert_eq!(hub.stop().code(), Some(0));
    let numbers: Vec<_> = recorder.take().iter().map(|it| it["msg"]["n"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..sent), "of {sent}, {} came", numbers.len());
}
