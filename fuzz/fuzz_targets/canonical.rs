//! JSON text as Python reads and writes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::json::{self, Numbers, Problem};
use serde::de::IgnoredAny;

fuzz_target!(|text: &str| {
    match json::canonical(text) {
        Ok(canonical) => {
            assert!(canonical.is_ascii());
            let canonical = std::str::from_utf8(&canonical).unwrap();
            assert_eq!(json::canonical(canonical).unwrap(), canonical.as_bytes());
            let pretty = json::pretty(text).unwrap();
            assert_eq!(json::canonical(std::str::from_utf8(&pretty).unwrap()).unwrap(), canonical.as_bytes());
            let verbatim = json::canonical_without(text, &[], Numbers::Verbatim).unwrap();
            assert_eq!(
                json::canonical(std::str::from_utf8(&verbatim).unwrap()).unwrap(),
                canonical.as_bytes()
            );
        }
        // Python has a limit there that serde_json hasn't.
        Err(error) if error.problem == Problem::HugeInteger => {}
        Err(error) => {
            assert!(error.at <= text.len());
            assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{error}");
        }
    }
});
