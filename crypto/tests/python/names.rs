//! Common names in every encoding there is, and in some there are not.

use crypto::Verdict;

use crate::forge::forged;
use crate::oracle::{Oracle, Rules};
use crate::{TOPIC, file, rules, verdict};

/// The certificate of the pair `good` with another common name, of as many bytes, in another ASN.1 type.
fn renamed(tag: u8, name: &[u8; 4]) -> String {
    forged("good.crt", |contents| {
        let at = contents.windows(6).rposition(|part| part == b"\x0c\x04good").unwrap();
        contents[at] = tag;
        contents[at + 2..at + 6].copy_from_slice(name);
    })
}

/// What X.509 allows for a common name: UTF8String, NumericString, PrintableString, TeletexString, IA5String,
/// VisibleString, UniversalString, BMPString. And an OCTET STRING.
const TYPES: [u8; 9] = [12, 18, 19, 20, 22, 26, 28, 30, 4];

const NAMES: [&[u8; 4]; 14] = [
    b"good",
    b"1 23",
    b"g\0od",
    b"goo\xff",
    b"\xc5\xbex\n",
    b"\xe9\xe9\xe9\xe9",
    b"\0\0\0A",
    b"\0\x11\0\0",
    b"\0\0\xd8\0",
    b"\xd8\x3d\xdc\0",
    b"\xd8\x80\0A",
    b"\xff\xfe\0A",
    // The character that stands for what could not be decoded.
    b"\xef\xbf\xbd!",
    b"\xff\xfd\0A",
];

#[test]
fn common_names_of_any_encoding_are_read_as_by_python() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(file("good.key"), folder.path().join("odd.key")).unwrap();
    let mut oracle = Oracle::start();
    let mut valid = 0;
    for (tag, name) in TYPES.iter().flat_map(|tag| NAMES.map(|name| (*tag, name))) {
        std::fs::write(folder.path().join("odd.crt"), renamed(tag, name)).unwrap();
        let body = oracle.sign(&format!(r#"{{"topic":"{TOPIC}","msg":{{}}}}"#), folder.path(), "odd");
        let case = format!("type {tag}, {name:x?}");
        if let Verdict::Valid { cn } = verdict(&mut oracle, &case, TOPIC, &body, &rules()) {
            // To Python it is the same name.
            let strict = Rules { policy: vec![(TOPIC, vec![&cn])], ..rules() };
            assert_eq!(oracle.rejects(TOPIC, &body, &strict), None, "{case}: {cn:?}");
            valid += 1;
        }
    }
    assert!(valid > TYPES.len(), "{valid}: a poor sample");
}
