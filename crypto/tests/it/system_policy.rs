//! Systems that have given SHA-1 up.

use std::process::Command;

use crypto::{Signer, TrustFiles};
use openssl::hash::MessageDigest;

use crate::authority::{Authority, HOUR};
use crate::{BODY, rule, validator};

/// What the policies of Fedora, Red Hat Enterprise Linux and Debian write into OpenSSL's configuration, and more.
const POLICIES: &[(&str, &str)] = &[
    (
        "SHA-1 signatures forbidden",
        "openssl_conf = init\n[init]\nalg_section = evp\n[evp]\nrh-allow-sha1-signatures = no\n",
    ),
    (
        "highest security level",
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n\
         CipherString = DEFAULT@SECLEVEL=5\nMinProtocol = TLSv1.3\nSignatureAlgorithms = RSA+SHA512\n",
    ),
    (
        "no providers",
        "openssl_conf = init\n[init]\nproviders = providers\n[providers]\nbase = base\n[base]\nactivate = 1\n",
    ),
    (
        "certified algorithms alone",
        "openssl_conf = init\n[init]\nalg_section = evp\n[evp]\ndefault_properties = fips=yes\n",
    ),
];

const FOLDER: &str = "CRYPTO_TEST_FOLDER";

#[test]
fn sha1_is_signed_and_verified_whatever_the_system_forbids() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), MessageDigest::sha1(), HOUR);
    authority.pair("shell", HOUR);
    authority.revoke(&[&authority.pair("stolen", HOUR)], HOUR);
    let configuration = folder.path().join("openssl.cnf");
    for (policy, text) in POLICIES {
        std::fs::write(&configuration, text).unwrap();
        // OpenSSL reads its configuration once in a process: this test's other half runs in one of its own.
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "system_policy::under_a_policy", "--ignored"])
            .env("OPENSSL_CONF", &configuration)
            .env(FOLDER, folder.path())
            .status()
            .unwrap();
        assert!(status.success(), "{policy}");
    }
}

#[test]
#[ignore = "run by the test above, under a policy"]
fn under_a_policy() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let validator = validator(TrustFiles { ca: folder.join("ca.crt"), crl: Some(folder.join("crl.pem")) });
    for (certname, expected) in [("shell", "valid"), ("stolen", "revoked")] {
        let body = Signer::load(&folder, certname).unwrap().sign(BODY.as_bytes()).unwrap();
        assert_eq!(rule(&validator, &body), expected, "{certname}");
    }
}
