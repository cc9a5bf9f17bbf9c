//! Common names in every encoding there is, and in some there are not.

use crypto::Verdict;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::x509::X509;

use crate::oracle::{Oracle, Rules};
use crate::{TOPIC, file, rules, verdict};

/// The certificate of the pair `good` with another common name, of as many bytes, in another ASN.1 type; signed anew.
fn renamed(tag: u8, name: &[u8; 4]) -> Vec<u8> {
    let read = |name: &str| std::fs::read(file(name)).unwrap();
    let mut der = X509::from_pem(&read("good.crt")).unwrap().to_der().unwrap();
    let length = |at: usize| usize::from(der[at + 2]) << 8 | usize::from(der[at + 3]);
    assert_eq!([der[1], der[5]], [0x82; 2], "lengths of two bytes");
    let signed = 4..4 + 4 + length(4);
    let at = der.windows(6).rposition(|part| part == b"\x0c\x04good").unwrap();
    der[at] = tag;
    der[at + 2..at + 6].copy_from_slice(name);
    let key = PKey::private_key_from_pem(&read("ca-itself.key")).unwrap();
    let signature =
        Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(&der[signed]).unwrap();
    let at = der.len() - signature.len();
    der[at..].copy_from_slice(&signature);
    let body = openssl::base64::encode_block(&der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    pem.into_bytes()
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
