//! `fedmsg-certs`, by what others make of its files; and what the hub and its `check` say of files that are no good.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use e2e::{Hub, HubBuilder, Process, Scratch, binary, python, workspace};

/// What `fedmsg-certs` prints.
fn certs(scratch: &Scratch, arguments: &[&str]) -> String {
    let mut command = Command::new(binary("fedmsg-certs"));
    command.arg("pki").args(arguments);
    let done = Process::run(scratch, "certs", &mut command, "");
    assert!(done.status.success(), "{}", done.stderr);
    done.stdout
}

/// Whether the real fedmsg.crypto believes what it signs with this pair.
fn python_believes(scratch: &Scratch, certname: &str) -> bool {
    let mut command = python();
    command.arg(workspace().join("tests/python/sign_and_validate.py")).arg(scratch.join("pki")).arg(certname);
    let done = Process::run(scratch, "python", &mut command, "");
    match done.stdout.as_str() {
        "True" => true,
        "False" => false,
        other => panic!("{other}\n{}", done.stderr),
    }
}

/// A hub with the plugin `dummy`, and with what `fedmsg-certs` printed.
fn hub<'s>(scratch: &'s Scratch, table: &str) -> HubBuilder<'s> {
    Hub::builder(scratch)
        .plugin("dummy")
        .config("fedmsg.consumers.dummy = { enabled = true, topics = [\"org.fedoraproject.dev.*\"] }")
        .config(
            "endpoints.e = \"ipc:///nowhere\"\njournal = { max_bytes = 1048576, outcomes_bytes = 1048576 }",
        )
        .config(table)
}

/// The key pair that a service signs with on this host.
fn pair<'t>(table: &'t str, service: &str) -> &'t str {
    let line = table.lines().find(|line| line.starts_with(&format!("\"{service}."))).unwrap();
    line.rsplit('"').nth(1).unwrap()
}

/// How `check` ends, and what it complains about.
fn check(hub: HubBuilder<'_>) -> (Option<i32>, String) {
    let done = hub.arguments(&["check"]).run();
    let findings = done.stdout.split("configuration: ").next().unwrap_or_default();
    (done.status.code(), findings.to_owned())
}

#[test]
fn development_certificates_are_good_for_the_python_fedmsg_and_for_the_hub_until_revoked() {
    let scratch = Scratch::new();
    let table = certs(&scratch, &[]);
    let name = pair(&table, "fedmsg-hub");
    assert!(python_believes(&scratch, name));
    assert_eq!(check(hub(&scratch, &table)), (Some(0), String::new()));
    for file in ["ca.key", &format!("{name}.key")] {
        let mode = fs::metadata(scratch.join("pki").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    certs(&scratch, &["--revoke", name]);
    assert!(!python_believes(&scratch, name));
    let (code, said) = check(hub(&scratch, &table));
    assert!(
        code == Some(3) && said.contains(&format!("{name}.crt: the signer's certificate is revoked")),
        "{said}"
    );
}

#[test]
fn each_service_has_a_key_pair_on_each_host_and_the_signing_relay_one_of_its_own() {
    let scratch = Scratch::new();
    let services = ["--service", "bodhi", "--service", "signing_relay"];
    let hosts = ["--host", "app01.example.org", "--host", "app02", "--host", "app02"];
    let table = certs(&scratch, &[services.as_slice(), &hosts].concat());
    let (_, names) = table.split_once("[crypto.certnames]\n").unwrap();
    assert_eq!(
        names,
        "\"bodhi.app01\" = \"bodhi-app01.example.org\"\n\"bodhi.app02\" = \"bodhi-app02\"\n\
         \"signing_relay\" = \"signing_relay\""
    );
    for pair in ["bodhi-app01.example.org", "bodhi-app02", "signing_relay"] {
        assert!(python_believes(&scratch, pair), "{pair}");
    }
}

#[test]
fn what_is_there_is_overwritten_only_when_asked_for() {
    let scratch = Scratch::new();
    certs(&scratch, &[]);
    let authority = fs::read(scratch.join("pki/ca.crt")).unwrap();
    let mut again = Command::new(binary("fedmsg-certs"));
    again.args(["pki", "--service", "another"]);
    let refused = Process::run(&scratch, "again", &mut again, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("pki/ca.key is there already"), "{}", refused.stderr);
    assert_eq!(fs::read(scratch.join("pki/ca.crt")).unwrap(), authority);
    assert_eq!(fs::read_dir(scratch.join("pki")).unwrap().count(), 9, "nothing else was made");

    certs(&scratch, &["--overwrite"]);
    assert_ne!(fs::read(scratch.join("pki/ca.crt")).unwrap(), authority);
}

#[test]
fn a_name_that_no_certificate_can_have_is_a_wrong_command_line() {
    let scratch = Scratch::new();
    for arguments in [
        &["--service", "../shell"][..],
        &["--service", ""],
        &["--host", &*"h".repeat(60)],
        &["--host", ""],
        &["--host", "app.example.org", "--host", "app.example.com"],
        &["--revoke", "ca"],
    ] {
        let mut command = Command::new(binary("fedmsg-certs"));
        let done = Process::run(&scratch, "certs", command.arg("pki").args(arguments), "");
        assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
    }
    assert!(!scratch.join("pki").exists());
}

#[test]
fn check_and_the_running_hub_tell_of_what_has_expired() {
    let scratch = Scratch::new();
    let table = certs(&scratch, &["--days", "0"]);
    let (code, said) = check(hub(&scratch, &table));
    assert_eq!(code, Some(3), "{said}");
    let hub = hub(&scratch, &table).start();
    for file in ["ca.crt", "crl.pem", &format!("{}.crt", pair(&table, "fedmsg-hub"))] {
        let expected = format!("pki/{file} has expired, at 20");
        assert!(said.contains(&expected), "{expected:?} is not in {said}");
        hub.log().wait_for(&expected);
    }
}

#[test]
fn check_finds_files_that_cannot_be_used() {
    let scratch = Scratch::new();
    let table = certs(&scratch, &["--service", "fedmsg-hub"]);
    let key = scratch.join(&format!("pki/{}.key", pair(&table, "fedmsg-hub")));
    let expect = |expected: &str| {
        let (code, said) = check(hub(&scratch, &table));
        assert!(code == Some(3) && said.contains(expected), "{expected:?} is not in {said}");
    };
    let folder = "pki can be written by anybody, who can so decide whom this hub trusts";
    fs::set_permissions(scratch.join("pki"), PermissionsExt::from_mode(0o777)).unwrap();
    expect(folder);
    fs::set_permissions(scratch.join("pki"), PermissionsExt::from_mode(0o1777)).unwrap();
    assert!(!check(hub(&scratch, &table)).1.contains(folder), "others cannot replace what is there");
    fs::set_permissions(scratch.join("pki/crl.pem"), PermissionsExt::from_mode(0o646)).unwrap();
    expect("pki/crl.pem can be written by anybody");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
    expect("(mode 0640): chmod 600");
    fs::remove_file(&key).unwrap();
    expect(&format!(": crypto.ssldir: cannot read {}", key.display()));
    fs::write(scratch.join("pki/crl.pem"), "garbage").unwrap();
    expect("pki/crl.pem: it holds no revocation list in PEM");
    fs::write(scratch.join("pki/ca.crt"), "").unwrap();
    expect("pki/ca.crt: it holds no certificate in PEM");
    fs::remove_file(scratch.join("pki/ca.crt")).unwrap();
    expect("pki/ca.crt: No such file or directory");
}

#[test]
fn a_key_pair_of_certnames_that_the_hub_needs_not_may_be_elsewhere() {
    let scratch = Scratch::new();
    let table = certs(&scratch, &[]);
    let key = scratch.join(&format!("pki/{}.key", pair(&table, "shell")));
    fs::set_permissions(&key, PermissionsExt::from_mode(0o604)).unwrap();
    let (code, said) = check(hub(&scratch, &table));
    assert!(code == Some(3) && said.contains("(mode 0604)"), "{said}");
    fs::remove_file(key).unwrap();
    assert_eq!(check(hub(&scratch, &table)), (Some(0), String::new()));
}

#[test]
fn check_finds_rules_of_the_routing_policy_that_have_no_effect() {
    let scratch = Scratch::new();
    certs(&scratch, &[]);
    let trust = format!(
        "crypto.ca_cert_location = \"{}\"\ncrypto.validate_signatures = true",
        scratch.join("pki/ca.crt").display()
    );
    let warned = |policy: &str| {
        let (code, said) = check(hub(&scratch, &trust).config(policy));
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let good = r#"crypto.routing_policy = { "org.fedoraproject.dev.logger.log" = ["a"], "*.git.*" = ["b"] }"#;
    assert_eq!(warned(good), "");
    for (policy, expected) in [
        (
            r#"crypto.routing_policy = { "org.fedoraproject.prod.logger.log" = ["a"], "org.fedoraproject.stg.*" = ["b"] }"#,
            "no consumer that validates takes a topic of these rules: \"org.fedoraproject.prod.logger.log\" \
             \"org.fedoraproject.stg.*\"\n",
        ),
        (r#"crypto.routing_policy."*.[z-a]" = ["a"]"#, "no topic can match the rule \"*.[z-a]\""),
        (r#"crypto.routing_policy."*.git" = []"#, "the rule \"*.git\" lets nobody send"),
        (
            "crypto.routing_nitpicky = true",
            "crypto.routing_nitpicky: no message can come for consumers' topics \"org.fedoraproject.dev.*\"",
        ),
        (
            "crypto.validate_signatures = false\ncrypto.routing_policy.\"*\" = [\"a\"]",
            "crypto.routing_policy has no effect: no consumer of this hub validates signatures",
        ),
    ] {
        let said = match policy.strip_prefix("crypto.validate_signatures = false\n") {
            Some(policy) => check(hub(&scratch, policy)).1,
            None => warned(policy),
        };
        assert!(
            said.contains("warning: ") && said.contains(": crypto.") && said.contains(expected),
            "{policy} gave {said}"
        );
    }
}
