//! `seawall exec`: what its caller sees. What a sandbox holds is tried in its own crate.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "PRIVATE KEY").unwrap();
        Self { folder }
    }

    fn sandbox(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    fn exec(&self, flags: &[&str], command: &[&str]) -> Command {
        let mut exec = Command::new(env!("CARGO_BIN_EXE_seawall"));
        exec.arg("exec").arg("--sandbox").arg(self.sandbox()).args(flags).arg("--").args(command);
        exec.current_dir(self.folder.path())
            .env("ANTHROPIC_API_KEY", "not for the command")
            .stdin(Stdio::null());
        exec
    }

    fn run(&self, flags: &[&str], command: &[&str]) -> Output {
        self.exec(flags, command).output().unwrap()
    }

    fn shell(&self, flags: &[&str], script: &str) -> Output {
        self.run(flags, &["bash", "-c", script])
    }
}

/// The last line on stderr.
fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

#[test]
fn the_command_s_output_and_exit_code_are_its_own() {
    let place = Place::new();
    let output = place.shell(&["--policy", "fs_safe"], "echo out; echo err >&2; echo kept > file; exit 5");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(5), b"out\n".as_slice()));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("err\n"));
    assert_eq!(std::fs::read_to_string(place.sandbox().join("file")).unwrap(), "kept\n");
    assert_eq!(place.shell(&[], "kill -9 $$").status.code(), Some(137));
    assert_eq!(place.run(&[], &["no-such-program"]).status.code(), Some(127));
}

#[test]
fn the_report_is_the_last_line_on_stderr() {
    let place = Place::new();
    let output = place.shell(&["--json"], "cat ../secret; setsid sleep 1000 & exit 0");
    let report = report(&output);
    assert!(output.stdout.is_empty());
    assert_eq!((&report["survivors"], &report["timed_out"]), (&0.into(), &false.into()));
    let enforced: Vec<_> =
        report["enforced"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for layer in ["landlock:", "seccomp", "rlimits"] {
        assert!(enforced.iter().any(|name| name.starts_with(layer)), "{enforced:?}");
    }
    assert!(report["unavailable"].is_array() && report["violations"].is_u64());
}

#[test]
fn every_preset_holds_what_its_name_says() {
    let place = Place::new();
    let script = "cat ../secret >/dev/null 2>&1 && echo reads; echo x 2>/dev/null > here && echo writes; python3 -c 'import socket; socket.socket()' 2>/dev/null && echo connects; true";
    let table = [
        (["--policy", "safe"].as_slice(), "writes\n"),
        (&["--policy", "strict"], "writes\n"),
        (&["--policy", "fs_safe"], "writes\n"),
        (&["--policy", "fs_safe", "--network"], "writes\nconnects\n"),
        (&["--policy", "net_safe"], "reads\nwrites\n"),
        (&["--policy", "readonly"], ""),
        (&["--policy", "off"], "reads\nwrites\nconnects\n"),
    ];
    for (flags, expected) in table {
        let output = place.shell(flags, script);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{flags:?}");
    }
}

#[test]
fn only_what_is_named_is_in_the_environment() {
    let place = Place::new();
    let output = place.run(&["--env", "GIVEN=a=b"], &["env"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> = said.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "LANG", "PATH", "TERM"]);
    assert!(said.contains("GIVEN=a=b\n"));
}

#[test]
fn what_can_t_be_enforced_is_not_accepted() {
    let place = Place::new();
    for (flags, named) in [
        (["--policy", "policy.yaml"], "policy.yaml"),
        (["--timeout", "soon"], "--timeout"),
        (["--memory", "0"], "--memory"),
        (["--env", "HOME"], "--env"),
    ] {
        let output = place.shell(&flags, "touch ran");
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(named), "{flags:?}");
    }
    assert!(!place.sandbox().join("ran").exists());
}

#[test]
fn when_the_time_is_up_it_says_so() {
    let place = Place::new();
    let output = place.shell(&["--timeout", "200ms", "--json"], "trap '' TERM; sleep 1000 & sleep 1000");
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(report(&output)["timed_out"], true);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--timeout"));
}

#[test]
fn killing_seawall_ends_the_family() {
    let place = Place::new();
    let script = "setsid sleep 1000 & (sleep 1000 &) ; echo up; sleep 1000";
    let mut seawall = place.exec(&[], &["bash", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(seawall.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    seawall.kill().unwrap();
    seawall.wait().unwrap();
    line.clear();
    // Every member of the family holds the pipe's other end.
    assert_eq!(out.read_line(&mut line).unwrap(), 0);
}
