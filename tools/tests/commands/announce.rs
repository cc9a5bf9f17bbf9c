use crate::harness::{ANNOUNCE, Bus};

/// What the relay gets: the topic, and the text of the body from `msg` on without what differs each time.
fn announced(arguments: &[&str], input: &[u8]) -> (String, String) {
    let bus = Bus::new();
    let relay = bus.relay();
    assert_eq!(bus.run(ANNOUNCE, arguments, input).quietly(), "");
    let (topic, body) = relay.receive();
    let from = body.find("\"msg\"").unwrap();
    let to = body.find(",\"msg_id\"").unwrap();
    (topic, body[from..to].to_owned())
}

#[test]
fn standard_input_is_announced_line_by_line_stripped() {
    let (topic, msg) = announced(&[], "  Fedora Core 4 \r\n\n is GOLD ☃\n".as_bytes());
    assert_eq!(topic, "org.fedoraproject.dev.announce.announcement");
    assert_eq!(msg, r#""msg":{"link":null,"message":"Fedora Core 4\n\nis GOLD \u2603"}"#);
}

#[test]
fn a_link_goes_with_it() {
    let (_, msg) = announced(&["--link", "https://example.org/?a=\"b\""], b"");
    assert_eq!(msg, r#""msg":{"link":"https://example.org/?a=\"b\"","message":""}"#);
}

#[test]
fn what_is_no_text_is_refused_before_anything_is_sent() {
    let stderr = Bus::new().run(ANNOUNCE, &[], b"caf\xe9").failed_with(2);
    assert!(stderr.contains("standard input is not UTF-8 from byte 3 on"), "{stderr}");
}

#[test]
fn without_a_relay_it_says_so_when_the_time_is_up() {
    let stderr = Bus::new().run(ANNOUNCE, &["--timeout", "10ms"], b"x").failed_with(6);
    assert!(stderr.contains("no relay at ipc://"), "{stderr}");
}

#[test]
fn what_every_hub_would_drop_is_refused_with_its_size() {
    let bus = Bus::new();
    let _relay = bus.relay();
    let stderr = bus.run(ANNOUNCE, &["--set", "hub.max_body_bytes=1000"], &[b'x'; 1000]).failed_with(2);
    assert!(stderr.contains("too large: 1") && stderr.contains("hub.max_body_bytes allows 1000"), "{stderr}");
    bus.run(ANNOUNCE, &["--set", "hub.max_body_bytes=2000"], &[b'x'; 1000]).quietly();
}
