//! The fields that make a message a signed one.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crypto::{Development, RoutingPolicy, Signer, TrustFiles, Validator, Verdict, make_development_ca};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use message::{Envelope, json};
use serde_json::{Value, json};

const TOPIC: &str = "org.example.dev.logger.log";

/// What stands in a field.
#[derive(Debug, Arbitrary)]
enum Field {
    Missing,
    /// JSON of any sort.
    Json(String),
    Text(String),
    Base64(Vec<u8>),
    /// A certificate of these bytes between two texts.
    Pem(String, Vec<u8>, String),
    /// The real thing with some of its bytes changed.
    Damaged(Vec<(u16, u8)>),
}

#[derive(Debug, Arbitrary)]
struct Fields {
    crypto: Option<String>,
    signature: Field,
    certificate: Field,
}

struct Real {
    validator: Validator,
    body: Value,
    signature: Vec<u8>,
    /// As PEM.
    certificate: Vec<u8>,
}

static REAL: LazyLock<Real> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let what = Development { names: &["shell"], ..Development::default() };
    let files = make_development_ca(folder.path(), &what).unwrap();
    let signer = Signer::load(folder.path(), "shell").unwrap();
    let body = signer.sign(json!({ "topic": TOPIC, "msg": {} }).to_string().as_bytes()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let bytes =
        |field: &str| BASE64_STANDARD.decode(body[field].as_str().unwrap().replace('\n', "")).unwrap();
    let (signature, certificate) = (bytes("signature"), bytes("certificate"));
    let trust = TrustFiles { ca: files.ca, crl: Some(files.crl) };
    // It has read the files; that they are gone then goes unnoticed.
    let never = std::time::Duration::from_secs(u64::from(u32::MAX));
    let validator = Validator::with_recheck(trust, RoutingPolicy::default(), never);
    Real { validator, body, signature, certificate }
});

impl Field {
    /// The member of the body, with the comma before it.
    fn member(&self, name: &str, real: &[u8]) -> String {
        let text = match self {
            Self::Missing => return String::new(),
            Self::Json(json) => return format!(r#","{name}":{json}"#),
            Self::Text(text) => text.clone(),
            Self::Base64(bytes) => BASE64_STANDARD.encode(bytes),
            Self::Pem(before, der, after) => BASE64_STANDARD.encode(
                format!(
                    "{before}-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n{after}",
                    BASE64_STANDARD.encode(der)
                )
                .as_bytes(),
            ),
            Self::Damaged(changes) => {
                let mut bytes = real.to_vec();
                for (at, change) in changes {
                    if let Some(byte) = bytes.get_mut(usize::from(*at)) {
                        *byte ^= change;
                    }
                }
                BASE64_STANDARD.encode(&bytes)
            }
        };
        format!(r#","{name}":{}"#, json!(text))
    }
}

fuzz_target!(|fields: Fields| {
    let real = &*REAL;
    let mut body = format!(r#"{{"topic":"{TOPIC}","msg":{{}}"#);
    if let Some(crypto) = &fields.crypto {
        body += &format!(r#","crypto":{}"#, json!(crypto));
    } else {
        body += r#","crypto":"x509""#;
    }
    body += &fields.signature.member("signature", &real.signature);
    body += &fields.certificate.member("certificate", &real.certificate);
    body.push('}');
    let Ok(envelope) = Envelope::parse(body.as_bytes()) else { return };
    if let Verdict::Valid { cn } = real.validator.validate(TOPIC, &envelope) {
        assert_eq!(&*cn, "shell");
        assert_eq!(envelope.signed_form(json::Numbers::Anew), signed(&real.body));
    }
});

/// What was signed.
fn signed(body: &Value) -> Vec<u8> {
    Envelope::parse(body.to_string().as_bytes()).unwrap().signed_form(json::Numbers::Anew)
}
