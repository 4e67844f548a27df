//! Completions: a script that the shell takes, and that knows every command.

use std::process::{Command, Stdio};

use crate::support::program::Setup;

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = Setup::new("completions").cli_well(&["--help"]);
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // A description that goes on in the next line is indented further.
    let names =
        listed.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names: Vec<String> = names.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert!(names.len() > 15 && names.contains(&"completions".to_owned()), "{help}");
    names
}

fn script(setup: &Setup, shell: &str) -> String {
    let output = setup.cli(&["completions", shell]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for the last of these words.
fn offered(setup: &Setup, words: &[&str]) -> Vec<String> {
    let [.., before, last] = words else { panic!("a command and a word") };
    let list = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let asking = format!(
        "source completions.bash && complete -p seawall >&2 && COMP_WORDS=({list}) COMP_CWORD={} && \
         _seawall seawall '{last}' '{before}' && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.len() - 1
    );
    let mut bash = Command::new("bash");
    let output = bash.args(["--norc", "-c", &asking]).current_dir(setup.path("")).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_takes_the_script_and_completes_commands_flags_and_values_with_it() {
    let setup = Setup::new("completions");
    setup.write("completions.bash", &script(&setup, "bash"));
    let mut check = Command::new("bash");
    let checked = check.args(["-n", "completions.bash"]).current_dir(setup.path("")).output().unwrap();
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    let all = offered(&setup, &["seawall", ""]);
    for command in commands() {
        assert!(all.contains(&command), "{command}: {all:?}");
    }
    assert_eq!(offered(&setup, &["seawall", "tr"]), ["trace"]);
    let of_traces = offered(&setup, &["seawall", "trace", ""]);
    assert!(
        ["gc", "tail", "export"].iter().all(|command| of_traces.iter().any(|it| it == command)),
        "{of_traces:?}"
    );
    assert_eq!(offered(&setup, &["seawall", "report", "--format", ""]), ["html", "md", "json"]);
    assert!(offered(&setup, &["seawall", "proxy", "--li"]).contains(&"--listen".to_owned()));
}

#[test]
fn every_shell_gets_a_script_that_names_every_command() {
    let setup = Setup::new("completions");
    for (shell, sign) in
        [("bash", "-F _seawall "), ("zsh", "#compdef seawall"), ("fish", "complete -c seawall ")]
    {
        let script = script(&setup, shell);
        assert!(script.contains(sign), "{shell}: {script}");
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
    assert!(!setup.data_dir().exists(), "no state was made");
}

#[test]
fn a_script_that_can_not_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut seawall = Command::new(env!("CARGO_BIN_EXE_seawall"));
    let output = seawall.args(["completions", "bash"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("No space left"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut seawall = Command::new(env!("CARGO_BIN_EXE_seawall"));
    seawall.args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = seawall.spawn().unwrap();
    // Its script is longer than a pipe holds, so it meets the closed end in any case.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
