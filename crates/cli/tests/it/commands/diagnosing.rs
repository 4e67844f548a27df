//! `seawall doctor`: what this machine and this configuration lack, each with a remedy, and the exit code that says so.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::program::Setup;

/// Any port is free.
const ANY_PORT: &str = "gateway: { listen: \"127.0.0.1:0\" }";

/// The exit code, and state, evidence and remedy of each check.
fn report(setup: &Setup) -> (i32, Vec<(String, String, String, String)>) {
    let output = setup.clone().args(["--json"]).run();
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let row =
        |row: &Value| (text(row, "check"), text(row, "state"), text(row, "evidence"), text(row, "remedy"));
    let rows: Vec<_> = answer["checks"].as_array().unwrap().iter().map(row).collect();
    let failed = rows.iter().any(|(_, state, _, _)| state == "FAIL");
    assert_eq!(answer["ok"], !failed, "{answer}");
    assert!(rows.iter().all(|(_, state, _, remedy)| (state == "PASS") == remedy.is_empty()), "{answer}");
    (output.status.code().unwrap(), rows)
}

/// The exit code, and state and evidence of one check.
fn found(setup: &Setup, check: &str) -> (i32, String, String) {
    let (code, rows) = report(setup);
    let row = rows.into_iter().find(|(name, _, _, _)| name == check);
    let (_, state, evidence, _) = row.unwrap_or_else(|| panic!("no check of {check}"));
    (code, state, evidence)
}

#[test]
fn where_all_is_well_it_says_so_of_everything_and_changes_nothing() {
    let setup = Setup::new("doctor").config(ANY_PORT).env("OPENAI_API_KEY", "sk-hush-0123456789");
    let (code, rows) = report(&setup);
    let states: Vec<(&str, &str)> =
        rows.iter().map(|(check, state, _, _)| (check.as_str(), state.as_str())).collect();
    assert_eq!(code, 0, "{rows:?}");
    for check in ["configuration", "port", "database", "provider keys", "clock", "agent programs"] {
        assert!(states.contains(&(check, "PASS")), "{check}: {states:?}");
    }
    // How much room there is, is this machine's matter.
    assert!(
        states.iter().any(|(check, _)| *check == "disk")
            && states.iter().any(|(check, _)| *check == "open files")
    );
    assert!(!setup.data_dir().exists(), "a look has no effect");

    let output = setup.run();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{table}");
    assert_eq!(table.lines().count(), 1 + rows.len(), "{table}");
    for (line, (check, state, _, _)) in table.lines().skip(1).zip(&rows) {
        assert!(line.starts_with(&format!("{state}  {check}")), "{line}");
    }
    assert!(
        table.contains("OPENAI_API_KEY set, ANTHROPIC_API_KEY not set") && !table.contains("hush"),
        "{table}"
    );
}

#[test]
fn a_missing_key_is_a_warning_and_no_failure() {
    let (code, state, evidence) = found(&Setup::new("doctor").config(ANY_PORT), "provider keys");
    assert_eq!((code, state.as_str()), (0, "WARN"), "{evidence}");
}

#[test]
fn a_wrong_configuration_is_told_with_all_its_faults() {
    let setup = Setup::new("doctor").config("gateway: { mode: lax, lisen: x }\npolicy: nowhere");
    let (code, state, evidence) = found(&setup, "configuration");
    assert_eq!((code, state.as_str()), (5, "FAIL"), "{evidence}");
    for fault in ["config.yaml: gateway.mode: ", "config.yaml: gateway.lisen: ", "\"nowhere\" is no preset"] {
        assert!(evidence.contains(fault), "{fault}: {evidence}");
    }
    let output = setup.run();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(5) && table.contains("FAIL  configuration"), "{table}");
    assert!(table.contains("`seawall config schema` tells what is allowed"), "{table}");
    assert!(table.contains("PASS  clock"), "what does not need it is checked all the same: {table}");
}

#[test]
fn a_port_that_is_taken_is_named_and_one_that_our_server_has_is_well() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let listener = TcpListener::bind(taken.unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let setup = Setup::new("doctor").config(&format!("gateway: {{ listen: \"{address}\" }}"));
    let (code, state, evidence) = found(&setup, "port");
    assert_eq!((code, state.as_str()), (5, "FAIL"), "{evidence}");
    assert!(evidence.contains(&address.to_string()), "{evidence}");

    let setup = Setup::simulated("");
    let server = setup.start();
    let output = setup.cli_json(&["doctor", "--config", "config.yaml"]);
    let port = output["checks"].as_array().unwrap().iter().find(|row| row["check"] == "port").unwrap();
    let evidence = format!("a server runs at http://{}", server.address);
    assert_eq!((&port["state"], &port["evidence"]), (&"PASS".into(), &evidence.into()));
}

#[test]
fn a_database_that_is_none_is_found() {
    let setup = Setup::new("doctor").config(ANY_PORT);
    std::fs::create_dir(setup.data_dir()).unwrap();
    setup.write("data/seawall.db", "this is no database, and longer than a header: ".repeat(100).as_str());
    let (code, state, evidence) = found(&setup, "database");
    assert_eq!((code, state.as_str()), (5, "FAIL"), "{evidence}");
    assert!(evidence.contains("not a database"), "{evidence}");
}

#[test]
fn a_state_folder_that_can_not_be_made_is_found() {
    let setup = Setup::new("doctor").config(ANY_PORT);
    let file = setup.write("data", "x");
    let (code, state, evidence) = found(&setup, "disk");
    assert_eq!((code, state.as_str()), (5, "FAIL"), "{evidence}");
    assert!(evidence.contains(file.to_str().unwrap()), "{evidence}");
}
