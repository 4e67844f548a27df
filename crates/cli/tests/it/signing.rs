//! Signed traces, from the key to the verdict.

use serde_json::Value;

use crate::support::program::Setup;

fn verify(setup: &Setup, key: &str) -> (Option<i32>, Value) {
    let output = setup.cli(&["trace", "verify", "--public-key", key, "--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// A state folder with one run that has ended, and two keys: the one that it was signed with, if any, and another.
fn ended_run(signed: bool) -> (Setup, String, String) {
    let sign_key = if signed { "trace: { sign_key: \"${KEY}\" }" } else { "" };
    let setup = Setup::simulated(sign_key);
    let ours =
        setup.cli_json(&["trace", "key", "new", "ours.pem"])["public_key"].as_str().unwrap().to_owned();
    let theirs =
        setup.cli_json(&["trace", "key", "new", "theirs.pem"])["public_key"].as_str().unwrap().to_owned();
    let key = std::fs::read_to_string(setup.path("ours.pem")).unwrap();
    let setup = setup.env("KEY", &key);
    assert!(setup.start().stop().success());
    (setup, ours, theirs)
}

#[tokio::test]
async fn a_signed_run_verifies_with_its_key_and_with_no_other() {
    let (setup, ours, theirs) = ended_run(true);
    let (code, said) = verify(&setup, &ours);
    assert_eq!((code, &said["ok"], &said["signature"]), (Some(0), &true.into(), &"holds".into()));
    let (code, said) = verify(&setup, &theirs);
    assert_eq!((code, &said["ok"], &said["signature"]), (Some(1), &false.into(), &"wrong".into()));
    assert_eq!(setup.cli_json(&["trace", "verify"])["signature"], Value::Null);
    assert_eq!(setup.cli_json(&["trace", "key", "public", "ours.pem"])["public_key"], ours);
}

#[tokio::test]
async fn a_head_without_a_signature_where_one_is_expected_is_told() {
    let (setup, ours, _) = ended_run(false);
    let (code, said) = verify(&setup, &ours);
    assert_eq!((code, &said["signature"]), (Some(1), &"missing".into()));
    assert!(said["first_unsigned"].is_string(), "{said}");
    let output = setup.cli(&["trace", "verify", "--public-key", &ours]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("its head is not signed"));
}

#[test]
fn a_key_is_for_its_owner_and_is_never_overwritten_or_shown() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::simulated("trace: { sign_key: \"not-a-key\" }");
    assert!(setup.cli(&["trace", "key", "new", "ours.pem"]).status.success());
    let mode = std::fs::metadata(setup.path("ours.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read(setup.path("ours.pem")).unwrap();
    assert_eq!(setup.cli(&["trace", "key", "new", "ours.pem"]).status.code(), Some(1));
    assert_eq!(std::fs::read(setup.path("ours.pem")).unwrap(), key);
    let refused = setup.run();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("trace.sign_key") && !said.contains("not-a-key"), "{said}");
}
