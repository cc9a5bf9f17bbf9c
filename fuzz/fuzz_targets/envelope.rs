//! Bodies of messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::Envelope;
use message::json::{self, Numbers};

fuzz_target!(|body: &[u8]| {
    let Ok(envelope) = Envelope::parse(body) else { return };
    assert_eq!(envelope.body(), body);
    let _fields =
        (envelope.topic(), envelope.msg_id(), envelope.i(), envelope.timestamp(), envelope.username());
    assert!(json::canonical(std::str::from_utf8(envelope.msg_raw()).unwrap()).is_ok());
    for numbers in [Numbers::Anew, Numbers::Verbatim] {
        let signed = envelope.signed_form(numbers);
        let again = Envelope::parse(&signed).unwrap();
        assert_eq!((again.signature_raw(), again.certificate_raw()), (None, None));
        assert_eq!(again.crypto_raw().is_some(), envelope.crypto_raw().is_some());
        assert_eq!(again.signed_form(numbers), signed);
    }
});
