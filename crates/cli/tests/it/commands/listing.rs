//! The runs that were traced, in short and with what they cost.

use std::path::Path;

use seawall_types::{Timestamp, Usd};
use serde_json::Value;

use super::{call, ended_runs};
use crate::support::program::Setup;

fn rows(setup: &Setup, args: &[&str]) -> Vec<Value> {
    setup.cli_json(args)["runs"].as_array().unwrap().clone()
}

fn time(row: &Value, key: &str) -> Timestamp {
    serde_json::from_value(row[key].clone()).unwrap_or_else(|error| panic!("{key}: {error}: {row}"))
}

#[tokio::test]
async fn runs_come_newest_first_with_what_they_did_and_cost() {
    let calls = [1, 3, 2];
    let (setup, runs) = ended_runs(&calls).await;
    let listed = rows(&setup, &["list"]);
    assert_eq!(listed.len(), 3, "{listed:?}");
    for (row, (run, calls)) in listed.iter().rev().zip(runs.iter().zip(calls)) {
        assert_eq!((row["run"].as_str(), row["kind"].as_str()), (Some(run.as_str()), Some("proxy")), "{row}");
        assert_eq!((&row["actions"], &row["denied"]), (&calls.into(), &0.into()), "{row}");
        let each: Usd = "0.000006".parse().unwrap();
        let cost: Usd = std::iter::repeat_n(each, calls).sum();
        assert_eq!(row["cost_usd"], cost.to_string(), "{row}");
        assert!(time(row, "started_at") < time(row, "finished_at"), "{row}");
        let lines = std::fs::read_to_string(Path::new(row["path"].as_str().unwrap())).unwrap();
        assert_eq!(row["events"], lines.lines().count(), "{row}");
    }
    let newest = rows(&setup, &["list", "--limit", "2"]);
    assert_eq!(newest, listed[..2]);
}

#[tokio::test]
async fn what_is_known_of_runs_is_found_where_the_configuration_puts_it() {
    let setup = Setup::simulated("store: sqlite:elsewhere.db");
    let server = setup.start();
    call(&server).await;
    assert!(server.stop().success());
    let with = |args: &[&str]| setup.cli(&[args, &["--json", "--config", "config.yaml"]].concat());
    let listed: Value = serde_json::from_slice(&with(&["trace", "list"]).stdout).unwrap();
    let row = &listed["runs"][0];
    assert!(row["finished_at"].is_string() && row["actions"] == 1, "{row}");
    assert!(with(&["trace", "verify"]).status.success());

    let file = Path::new(row["path"].as_str().unwrap());
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(file, lines[..lines.len() - 2].concat()).unwrap();
    let cut = with(&["trace", "verify"]);
    assert_eq!(cut.status.code(), Some(1), "a cut tail shows: {cut:?}");

    setup.write("config.yaml", "store: sqlite:elsewhere.db\ncolour: blue");
    assert!(with(&["trace", "list"]).status.success(), "other faults keep nobody from reading");
    setup.write("config.yaml", "store: elsewhere.db");
    assert_eq!(with(&["trace", "list"]).status.code(), Some(2));
}

#[tokio::test]
async fn the_short_form_says_what_the_long_one_says() {
    let (setup, _runs) = ended_runs(&[1, 1]).await;
    for form in [&[][..], &["--json"], &["--limit", "1"]] {
        let [short, long] =
            [&["list"][..], &["trace", "list"]].map(|name| setup.cli_well(&[name, form].concat()));
        assert_eq!(short, long);
        assert!(!short.is_empty());
    }
}

#[tokio::test]
async fn a_run_that_goes_on_is_told_as_running() {
    let (setup, ended) = ended_runs(&[1]).await;
    let server = setup.start();
    call(&server).await;
    let [now, before] = &rows(&setup, &["list"])[..] else { panic!("two runs") };
    assert_eq!((&now["run"], &before["run"]), (&server.run().into(), &ended[0].as_str().into()));
    assert!(now["finished_at"].is_null() && before["finished_at"].is_string(), "{now} {before}");

    let table = setup.cli_well(&["list"]);
    let [head, first, second] = &table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    let columns: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(columns, ["RUN", "KIND", "STARTED", "FINISHED", "ACTIONS", "DENIED", "COST"]);
    assert!(first.starts_with(&server.run()) && first.contains("running"), "{first}");
    assert!(second.starts_with(&ended[0]) && second.ends_with("$0.000006"), "{second}");
}

#[test]
fn where_nothing_was_traced_there_is_nothing_to_list() {
    let setup = Setup::new("list");
    assert_eq!(setup.cli_json(&["list"]), serde_json::json!({ "runs": [] }));
    assert!(!setup.data_dir().exists(), "a look makes no state");
}
