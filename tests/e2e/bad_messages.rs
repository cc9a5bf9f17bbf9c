//! What comes over the wire and is no message: each is refused with a reason, and the hub lives on.

use e2e::{Frames, Hub, Recorder, Scratch};

#[test]
fn each_kind_of_bad_message_is_named_counted_and_survived() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut frames = Frames::bind(&scratch);
    let mut hub = Hub::builder(&scratch)
        .plugin("recorder")
        .config(&format!(
            "endpoints.odd = \"{}\"\nrecorder = {{ enabled = true, path = \"{}\" }}\nhub.max_body_bytes = 1000000",
            frames.address(),
            recorder.path()
        ))
        .start();
    frames.wait_for_subscriber();
    frames.send(&[b"one frame"]);
    frames.send(&[b"t", b"{}", b"three"]);
    frames.send(&[b"", b"{}"]);
    frames.send(&[b"t\xff", b"{}"]);
    frames.send(&[b"t", b"not JSON"]);
    frames.send(&[b"t", b"\xff\xfe"]);
    frames.send(&[b"t", b"[]"]);
    frames.send(&[b"t", b"1"]);
    frames.send(&[b"t", b"\"\""]);
    frames.send(&[b"t", b""]);
    frames.send(&[b"t", format!("{{\"x\":\"{}\"}}", "x".repeat(1_000_000)).as_bytes()]);
    frames.send(&[b"good", b"{\"topic\": \"good\", \"msg\": {\"n\": NaN}}"]);
    let got = recorder.wait_for(1);
    assert_eq!(got[0]["topic"], "good");
    for (reason, error) in [
        ("frames", "1 frames with 9 bytes"),
        ("topic", "the topic is empty"),
        ("body", "is not JSON"),
        ("too_large", "1000008 bytes, and hub.max_body_bytes allows 1000000"),
    ] {
        let line = hub.log().wait_for(error);
        assert!(line.contains(&format!("reason=\"{reason}\"")) && line.contains("endpoint=odd"), "{line}");
    }
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("intake stopped");
    assert!(said.contains(r#"received=12 not_delivered="frames=2 topic=2 body=6 too_large=1""#), "{said}");
}

#[test]
fn a_body_of_50_mb_is_dropped_by_its_size_or_delivered_whole_as_configured() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(50_000_000));
    let config = |frames: &Frames| {
        format!(
            "endpoints.odd = \"{}\"\nrecorder = {{ enabled = true, path = \"{}\" }}",
            frames.address(),
            recorder.path()
        )
    };
    let mut frames = Frames::bind(&scratch);
    let mut hub = Hub::builder(&scratch).plugin("recorder").config(&config(&frames)).start();
    frames.wait_for_subscriber();
    frames.send(&[b"large", body.as_bytes()]);
    hub.log().wait_for("50000008 bytes, and hub.max_body_bytes allows 16777216");
    assert_eq!(hub.stop().code(), Some(0));

    let mut frames = Frames::bind(&scratch);
    let _hub = Hub::builder(&scratch)
        .name("roomy")
        .plugin("recorder")
        .config(&config(&frames))
        .config("hub.max_body_bytes = 60000000")
        .start();
    frames.wait_for_subscriber();
    frames.send(&[b"large", body.as_bytes()]);
    assert_eq!(recorder.wait_for(1)[0]["bytes"], 50_000_008);
}

#[test]
fn the_old_form_of_one_frame_with_a_nul_is_taken() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut frames = Frames::bind(&scratch);
    let _hub = Hub::builder(&scratch)
        .plugin("recorder")
        .config(&format!(
            "endpoints.odd = \"{}\"\nrecorder = {{ enabled = true, path = \"{}\" }}",
            frames.address(),
            recorder.path()
        ))
        .start();
    frames.wait_for_subscriber();
    frames.send(&[b"t\0{\"topic\": \"t\", \"msg\": 1}"]);
    let got = recorder.wait_for(1);
    assert_eq!((&got[0]["topic"], &got[0]["msg"]), (&"t".into(), &1.into()));
}
