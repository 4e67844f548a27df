//! Keys and budgets on the command line: what is printed for programs, what for people, and what never is.

use seawall_types::Timestamp;
use serde_json::{Value, json};

use super::refusal;
use crate::support::program::Setup;

fn time(value: &Value) -> Timestamp {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

#[test]
fn a_key_is_shown_once_with_its_name_and_identifier() {
    let setup = Setup::new("keys");
    let made = setup.cli_json(&["keys", "create", "--name", "ci"]);
    let fields: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["key", "id", "name"]);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("sk-sw-") && key.len() > 50, "{key}");

    let output = setup.cli(&["keys", "create", "--name", "people"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        (printed.lines().count(), printed.starts_with("sk-sw-")),
        (1, true),
        "what a shell can take over"
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("only time"));

    for listed in [setup.cli_well(&["keys", "list"]), setup.cli_well(&["keys", "list", "--json"])] {
        assert!(listed.contains("ci") && listed.contains("people"), "{listed}");
        assert!(!listed.contains(key) && !listed.contains(printed.trim()), "{listed}");
    }
    let row = &setup.cli_json(&["keys", "list"])["keys"][0];
    assert_eq!((&row["id"], row["hash"].is_null()), (&made["id"], true), "{row}");
}

#[test]
fn an_answer_that_can_not_be_written_is_an_error() {
    let setup = Setup::new("keys");
    for args in [&["keys", "create", "--name", "ci"][..], &["keys", "list"], &["trace", "list", "--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = setup.cli_into(args, full);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("the answer can't be written: No space left"), "{args:?}: {said}");
    }
}

#[test]
fn an_answer_that_nobody_reads_any_more_is_no_error() {
    let setup = Setup::new("keys");
    for args in [&["keys", "list"][..], &["trace", "list", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = setup.cli_into(args, writer);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn what_a_key_may_do_is_listed_as_it_was_given() {
    let setup = Setup::new("keys");
    let limits = [
        ["--name", "ci"],
        ["--tenant", "acme"],
        ["--budget", "5/day"],
        ["--rpm", "60"],
        ["--tpm", "1000"],
        ["--models", "gpt-4o*,sim-c"],
        ["--policy", "safe"],
        ["--expires", "30d"],
        ["--ip", "10.0.0.0/8,::1"],
        ["--role", "viewer"],
    ];
    setup.key(&limits.concat());
    let row = setup.cli_json(&["keys", "list"])["keys"][0].clone();
    for (field, value) in [
        ("tenant", json!("acme")),
        ("budget", json!({ "usd": "5.000000", "window": "day" })),
        ("rpm", json!(60)),
        ("tpm", json!(1_000)),
        ("models", json!(["gpt-4o*", "sim-c"])),
        ("policy", json!("safe")),
        ("ips", json!(["10.0.0.0/8", "::1"])),
        ("state", json!("active")),
    ] {
        assert_eq!(row[field], value, "{field} of {row}");
    }
    let (made, ends) = (time(&row["created_at"]), time(&row["expires_at"]));
    assert_eq!(ends.since(made).as_secs(), 30 * 86_400, "{row}");
    let table = setup.cli_well(&["keys", "list"]);
    let line = table.lines().nth(1).unwrap();
    assert!(line.starts_with("ci ") && line.contains("acme") && line.contains("/day"), "{table}");
}

#[test]
fn a_name_is_one_keys_until_it_is_revoked() {
    let setup = Setup::new("keys");
    let first = setup.key(&["--name", "ci"]);
    let said = refusal(&setup, &["keys", "create", "--name", "ci"], 2);
    assert!(said.contains("exists already"), "{said}");
    setup.cli_well(&["keys", "revoke", "ci"]);
    assert_ne!(setup.key(&["--name", "ci"]), first);
    let keys = setup.cli_json(&["keys", "list"]);
    let mut states: Vec<&str> =
        keys["keys"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["active", "revoked"], "{keys}");
}

#[test]
fn amounts_are_decimal_strings_and_windows_say_when_they_end() {
    let setup = Setup::new("budget");
    for window in ["total", "minute", "day", "month"] {
        setup.cli_well(&["budget", "set", "global", "--usd", "0.1", "--window", window]);
    }
    let shown = setup.cli_json(&["budget", "set", "tenant:acme", "--tokens", "1000"]);
    assert_eq!(shown, setup.cli_json(&["budget", "show"]));
    let rows = shown["budgets"].as_array().unwrap();
    assert_eq!(rows.len(), 5, "{shown}");
    for row in rows {
        for amount in ["spent_usd", "held_usd"] {
            assert_eq!(row[amount], "0.000000", "{row}");
        }
        assert_eq!((&row["holds"], &row["refusals"]), (&0.into(), &json!([])), "{row}");
        match (row["scope"].as_str().unwrap(), row["window"].as_str().unwrap()) {
            ("global", "total") => {
                assert_eq!((&row["limit_usd"], &row["resets_at"]), (&json!("0.100000"), &Value::Null))
            }
            ("global", window) => {
                // A minute is always the last one, so it never ends.
                let at_midnight = |value: &Value| time(value).as_secs().is_multiple_of(86_400);
                let ends = &row["resets_at"];
                assert!(if window == "minute" { ends.is_null() } else { at_midnight(ends) }, "{row}");
            }
            other => assert_eq!((other.0, &row["limit_tokens"]), ("tenant:acme", &1_000.into()), "{row}"),
        }
    }
    setup.cli_well(&["budget", "remove", "tenant:acme"]);
    let rows = setup.cli_json(&["budget", "show"])["budgets"].as_array().unwrap().clone();
    let limits = rows.iter().filter(|row| row["limit_usd"].is_string() || row["limit_tokens"].is_u64());
    assert_eq!(limits.count(), 4, "what was spent is still told, without a limit: {rows:?}");
}
