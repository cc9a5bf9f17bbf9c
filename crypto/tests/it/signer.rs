//! Key pairs: which are refused, and what is made with the others.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crypto::{
    Development, DevelopmentError, SignError, Signer, SignerError, TrustFiles, make_development_ca,
    revoke_development_certificates,
};
use message::EnvelopeError;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::extension::BasicConstraints;

use crate::authority::{Authority, HOUR, of_version_1, replace};
use crate::{BODY, rule, validator};

fn development(folder: &Path) -> TrustFiles {
    let what = Development { names: &["shell", "other"], revoked: &["stolen"], ..Development::default() };
    let files = make_development_ca(folder, &what).unwrap();
    TrustFiles { ca: files.ca, crl: Some(files.crl) }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_key_that_others_have_access_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let key = folder.path().join("shell.key");
    for mode in [0o640, 0o604, 0o660, 0o602, 0o777] {
        chmod(&key, mode);
        let error = Signer::load(folder.path(), "shell").unwrap_err();
        assert!(
            matches!(&error, SignerError::Exposed { path, mode: found } if *path == key && *found == mode)
        );
        assert!(
            error.to_string().ends_with(&format!("(mode {mode:04o}): chmod 600 {}", key.display())),
            "{error}"
        );
    }
    for mode in [0o600, 0o400] {
        chmod(&key, mode);
        assert_eq!(Signer::load(folder.path(), "shell").unwrap().cn(), "shell");
    }
}

#[test]
fn a_key_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let key = folder.path().join("shell.key");
    // Who may not give it away takes one of root's.
    if chown(&key, Some(1), None).is_err() {
        fs::remove_file(&key).unwrap();
        symlink("/etc/passwd", &key).unwrap();
    }
    let error = Signer::load(folder.path(), "shell").unwrap_err();
    assert!(matches!(&error, SignerError::Foreign { path, owner, user } if *path == key && owner != user));
    assert!(error.to_string().contains(": chown "), "{error}");
}

#[test]
fn a_key_that_is_no_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = Command::new("mkfifo").arg("-m600").arg(folder.path().join("pipe.key")).status().unwrap();
    assert!(pipe.success());
    symlink("/dev/zero", folder.path().join("endless.key")).unwrap();
    for name in ["pipe", "endless"] {
        let error = Signer::load(folder.path(), name).unwrap_err();
        assert!(error.to_string().ends_with(".key: it is no regular file"), "{error}");
    }
}

#[test]
fn a_certificate_that_is_not_an_authoritys_own_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let files = TrustFiles { ca: folder.path().join("shell.crt"), crl: None };
    let error = files.expiries().unwrap_err();
    assert!(error.to_string().contains("shell.crt: the certificate is not an authority's own"), "{error}");
}

#[test]
fn a_certificate_that_says_of_itself_that_it_is_no_authority_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let none = BasicConstraints::new();
    let files = Authority::constrained(folder.path(), MessageDigest::sha256(), HOUR, &none).files();
    let error = files.expiries().unwrap_err();
    assert!(
        error.to_string().contains("nothing that is issued by this certificate counts: invalid CA"),
        "{error}"
    );
    // Old authorities cannot say what they are.
    replace(&files.ca, &of_version_1().to_pem().unwrap());
    TrustFiles { crl: None, ..files }.expiries().unwrap();
}

#[test]
fn who_looks_after_a_service_sees_its_keys_with_its_eyes() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let owner = fs::metadata(folder.path().join("shell.key")).unwrap().uid();
    assert!(Signer::load_for(owner, folder.path(), "shell").is_ok());
    let error = Signer::load_for(owner + 1, folder.path(), "shell").unwrap_err();
    assert!(matches!(error, SignerError::Foreign { user, .. } if user == owner + 1));
}

#[test]
fn a_key_pair_that_cannot_sign_is_refused_by_the_name_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let (key, certificate) = (folder.path().join("shell.key"), folder.path().join("shell.crt"));
    let load = |certname| Signer::load(folder.path(), certname).unwrap_err();
    assert!(matches!(load("nobody"), SignerError::Read { path, .. } if path.ends_with("nobody.key")));

    let good = fs::read(&key).unwrap();
    let rsa = Rsa::private_key_from_pem(&good).unwrap();
    let locked = rsa.private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"secret").unwrap();
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let ec = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    for unusable in [&*locked, b"garbage", b"", &*ec.private_key_to_pem_pkcs8().unwrap()] {
        fs::write(&key, unusable).unwrap();
        assert!(matches!(load("shell"), SignerError::NotAKey { path } if path == key));
    }
    fs::write(&key, fs::read(folder.path().join("other.key")).unwrap()).unwrap();
    assert!(matches!(load("shell"), SignerError::Mismatch { .. }));
    fs::write(&key, good).unwrap();
    fs::write(&certificate, "garbage").unwrap();
    assert!(matches!(load("shell"), SignerError::NotACertificate { path } if path == certificate));
    fs::remove_file(&certificate).unwrap();
    assert!(matches!(load("shell"), SignerError::Read { path, .. } if path == certificate));
}

#[test]
fn what_is_no_message_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let signer = Signer::load(folder.path(), "shell").unwrap();
    let sign = |body: &[u8]| signer.sign(body).unwrap_err();
    assert!(matches!(sign(b"[1]"), SignError::NotAMessage(EnvelopeError::NotAnObject)));
    assert!(matches!(sign(b"{\"a\":\"}"), SignError::NotAMessage(EnvelopeError::NotJson(_))));
    assert!(matches!(sign(b"{\"\xff\":1}"), SignError::NotAMessage(EnvelopeError::NotUtf8 { .. })));
}

#[test]
fn a_signer_knows_whether_it_is_believed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = development(folder.path());
    let rejected = |certname, files: &TrustFiles| {
        let reason = Signer::load(folder.path(), certname).unwrap().rejected_by(files).unwrap();
        reason.map(|reason| reason.rule())
    };
    assert_eq!(rejected("shell", &files), None);
    assert_eq!(rejected("stolen", &files), Some("revoked"));
    assert_eq!(rejected("shell", &development(other.path())), Some("untrusted"));
}

#[test]
fn the_key_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let signer = Signer::load(folder.path(), "shell").unwrap();
    assert_eq!(format!("{signer:?}"), r#"Signer { cn: "shell", .. }"#);
}

#[test]
fn a_development_authority_is_trusted_and_revokes() {
    let folder = tempfile::tempdir().unwrap();
    let files = development(folder.path());
    let validator = validator(files.clone());
    for (certname, expected) in [("shell", "valid"), ("other", "valid"), ("stolen", "revoked")] {
        let body = Signer::load(folder.path(), certname).unwrap().sign(BODY.as_bytes()).unwrap();
        assert_eq!(rule(&validator, &body), expected, "{certname}");
    }
    assert_eq!(files.expiries().unwrap().len(), 2);
}

#[test]
fn a_development_authority_replaces_no_file_and_takes_no_odd_name() {
    let folder = tempfile::tempdir().unwrap();
    development(folder.path());
    let before = fs::read(folder.path().join("ca.key")).unwrap();
    let again = make_development_ca(folder.path(), &Development::default()).unwrap_err();
    assert!(matches!(again, DevelopmentError::Exists { path } if path.ends_with("ca.key")));
    assert_eq!(fs::read(folder.path().join("ca.key")).unwrap(), before);
    for name in ["", "ca", "../shell", ".shell", "a/b", "a\nb", &"n".repeat(65)] {
        let what = Development { names: &[name], ..Development::default() };
        let error = make_development_ca(folder.path(), &what).unwrap_err();
        assert!(matches!(error, DevelopmentError::Name(found) if found == name));
    }
}

#[test]
fn a_development_authority_is_replaced_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let validator = validator(development(folder.path()));
    let old = Signer::load(folder.path(), "shell").unwrap().sign(BODY.as_bytes()).unwrap();
    let key = folder.path().join("shell.key");
    chmod(&key, 0o644);
    let what = Development { names: &["shell"], overwrite: true, ..Development::default() };
    make_development_ca(folder.path(), &what).unwrap();
    // The permissions of the key that was there don't count.
    let new = Signer::load(folder.path(), "shell").unwrap().sign(BODY.as_bytes()).unwrap();
    assert_eq!([rule(&validator, &old), rule(&validator, &new)], ["untrusted", "valid"]);
}

#[test]
fn a_development_certificate_is_revoked_and_those_revoked_before_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let validator = validator(development(folder.path()));
    let rules = || {
        ["shell", "other", "stolen"].map(|certname| {
            let body = Signer::load(folder.path(), certname).unwrap().sign(BODY.as_bytes()).unwrap();
            rule(&validator, &body)
        })
    };
    assert_eq!(rules(), ["valid", "valid", "revoked"]);
    // Twice is once.
    revoke_development_certificates(folder.path(), &["shell", "stolen"]).unwrap();
    revoke_development_certificates(folder.path(), &["shell"]).unwrap();
    assert_eq!(rules(), ["revoked", "valid", "revoked"]);
    let list = fs::read(folder.path().join("crl.pem")).unwrap();
    let list = openssl::x509::X509Crl::from_pem(&list).unwrap();
    assert_eq!(list.get_revoked().unwrap().len(), 2);
}

#[test]
fn only_an_authority_can_revoke_and_only_its_own() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let revoke = |folder: &Path, name| revoke_development_certificates(folder, &[name]).unwrap_err();
    assert!(matches!(revoke(folder.path(), "shell"), DevelopmentError::Unusable(SignerError::Read { .. })));
    development(folder.path());
    development(other.path());
    fs::copy(other.path().join("shell.crt"), folder.path().join("shell.crt")).unwrap();
    assert!(
        matches!(revoke(folder.path(), "shell"), DevelopmentError::Foreign { path } if path.ends_with("shell.crt"))
    );
    assert!(matches!(revoke(folder.path(), "nobody"), DevelopmentError::Unusable(SignerError::Read { .. })));
    assert!(matches!(revoke(folder.path(), "../shell"), DevelopmentError::Name(_)));
    fs::write(folder.path().join("crl.pem"), "").unwrap();
    assert!(matches!(revoke(folder.path(), "other"), DevelopmentError::List { .. }));
}
