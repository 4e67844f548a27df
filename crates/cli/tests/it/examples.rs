//! The examples of the four ways to run agents: the very scripts that a reader pastes, with no key and no network.

use std::process::{Command, Stdio};

use seawall_test_support::Postgres;

/// Runs a script to its end; what it says on stdout.
fn run(folder: &str, environment: &[(&str, &str)]) -> String {
    let script = format!("{}/../../examples/{folder}/run.sh", env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .arg(script)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("SEAWALL_BIN", env!("CARGO_BIN_EXE_seawall"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{folder}: {}\n{said}\n{complaints}", output.status);
    assert!(said.ends_with("== done\n"), "{folder}\n{said}");
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{folder} leaves {left:?}");
    said
}

fn says(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "{words:?} is missing in\n{said}");
    }
}

#[test]
fn mode_1_goes_on_after_a_kill_and_moves_to_another_store() {
    let said = run("1-cli", &[]);
    says(&said, &["Hello, I am your assistant.", "Here I am again.", "And here, from a folder of JSON."]);
    says(&said, &["copied 1 agents", "everything fits"]);
}

#[test]
fn mode_2_answers_curl_and_python_and_asks_a_person_over_a_restart() {
    let said = run("2-server", &[]);
    says(&said, &["Good to see you.", "This comes in pieces, as it is said.\n", "\npaused\n"]);
}

#[test]
fn mode_3_shares_agents_among_three_workers_of_which_one_is_killed() {
    let database = Postgres::start("");
    let said = run("3-workers", &[("DATABASE_URL", &database.url)]);
    says(&said, &["30 agents have answered once each", "30 agents, everything fits"]);
}

#[test]
fn mode_3_starts_a_database_where_none_is_named_and_takes_it_away_again() {
    says(&run("3-workers", &[]), &["30 agents, everything fits"]);
}

#[test]
fn mode_4_answers_by_functions_that_keep_nothing() {
    let said = run("4-serverless", &[]);
    says(&said, &["{\"status\": \"working\"}", "\"text\": \"The answer is 42.\"", "event: done"]);
}

#[test]
fn a_script_ends_what_it_started_and_still_runs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let common = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/common.sh");
    let script = format!(
        ". {common}\nsleep 600 & over=$!\nkill -9 $over\nwait $over || true\nsleep 600 & echo runs $!\n\
         kill() {{ echo ends \"$@\"; builtin kill \"$@\"; }}\n"
    );
    std::fs::write(folder.path().join("run.sh"), script).unwrap();
    let output = Command::new("bash")
        .arg(folder.path().join("run.sh"))
        .env("TMPDIR", folder.path())
        .env("SEAWALL_BIN", env!("CARGO_BIN_EXE_seawall"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let runs = said.lines().find_map(|line| line.strip_prefix("runs ")).unwrap();
    let ended: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ends ")).collect();
    assert_eq!(ended, [runs], "{said}");
}
