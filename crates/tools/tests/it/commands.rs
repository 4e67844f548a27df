//! Commands: held by the kernel, visible while they run, and gone when nobody wants them.

use std::path::Path;
use std::time::Duration;

use seawall_sandbox::Network;
use seawall_tools::{RESULT_BYTES, built_in};
use seawall_types::Secret;
use serde_json::{Value, json};

use crate::support::{Agent, Attempt, words};

/// A process that was started by a test and can be told from all others by what it sleeps.
struct Sleeper {
    seconds: u32,
}

impl Sleeper {
    fn new() -> Self {
        Self { seconds: 100_000 + fastrand::u32(..1_000_000) }
    }

    /// How many there are, in every process of this machine.
    fn count(&self) -> usize {
        let wanted = format!("sleep\0{}\0", self.seconds);
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let command =
            |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        processes.map(command).filter(|command| command == wanted.as_bytes()).count()
    }

    async fn counts(&self, wanted: usize) {
        until(|| self.count() == wanted).await;
    }
}

/// Waits until something is so, as long as a test may take.
async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}

/// What a command in the background has written, once it is this many bytes.
async fn written(agent: &Agent, shell: &str, bytes: u64) -> Value {
    let waiting = async {
        loop {
            let logs = agent.ok("bash_logs", json!({ "shell_id": shell })).await;
            if logs["nextOffset"].as_u64() >= Some(bytes) {
                return logs;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap()
}

async fn run(agent: &Agent, cmd: &str) -> Value {
    agent.ok("bash_run", json!({ "cmd": cmd })).await
}

#[tokio::test]
async fn a_command_gives_its_code_and_both_streams() {
    let agent = Agent::new();
    let told = run(&agent, "echo out; echo error >&2; exit 3").await;
    assert_eq!(told, json!({ "code": 3, "output": "out\nerror\n" }));
    assert_eq!(run(&agent, "kill -9 $$").await["code"], 137);
    assert_eq!(run(&agent, "pwd").await["output"], format!("{}\n", agent.place.root().display()));
}

#[tokio::test]
async fn a_command_writes_in_its_place_and_nowhere_else() {
    let agent = Agent::new();
    let outside = agent.outside("new");
    let cmd = format!(
        "echo mine > here; echo mine > {}; cat {}",
        outside.display(),
        agent.outside("secret").display()
    );
    let told = run(&agent, &cmd).await;
    assert!(!told["output"].as_str().unwrap().contains("PRIVATE"), "{told}");
    assert_eq!(agent.text("here"), "mine\n");
    assert!(!outside.exists());
}

#[tokio::test]
async fn a_command_sees_nothing_of_our_environment() {
    let agent = Agent::with(built_in(), |settings| {
        settings
            .commands
            .as_mut()
            .unwrap()
            .environment
            .push(("GIVEN".to_owned(), Secret::new("yes".to_owned())));
    });
    let told = run(&agent, "env | cut -d= -f1 | sort | tr '\\n' ' '").await;
    assert_eq!(told["output"], "GIVEN HOME LANG PATH PWD SHLVL TERM _ ");
}

#[tokio::test]
async fn there_is_no_network_unless_it_is_granted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cmd = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let told = run(&Agent::new(), &cmd).await;
    assert_ne!(told["code"], 0, "{told}");
    let granted = Agent::with(built_in(), |settings| {
        settings.commands.as_mut().unwrap().confinement.network = Network::Any;
    });
    assert_eq!(run(&granted, &cmd).await["output"], "connected\n");
}

#[tokio::test]
async fn ten_megabytes_of_output_are_cut_and_whole_in_a_file() {
    let agent = Agent::new();
    let outcome =
        agent.outcome("bash_run", json!({ "cmd": "seq 1 1400000; echo the end" }), Attempt::FIRST).await;
    assert!(words(&outcome).len() <= RESULT_BYTES);
    let told: Value = serde_json::from_str(&words(&outcome)).unwrap();
    let output = told["output"].as_str().unwrap();
    assert!(output.starts_with("1\n2\n") && output.ends_with("\nthe end\n"), "{told}");
    assert_eq!(told["truncated"], true);
    let (_, path) = output.split_once("the whole is in ").unwrap();
    let path = path.split(';').next().unwrap();
    let page = agent.ok("fs_read", json!({ "path": path, "offset": 1_399_999 })).await;
    assert_eq!(page["content"], "1399999\n1400000\nthe end\n");
    // Commands of the agent can read it too, and can't change it.
    let told = run(&agent, &format!("tail -n 1 {path}; echo x >> {path}")).await;
    assert!(told["output"].as_str().unwrap().starts_with("the end\n") && told["code"] != 0, "{told}");
}

#[tokio::test]
async fn only_what_was_not_shown_is_kept_and_of_that_the_newest() {
    let agent = Agent::new();
    run(&agent, "echo short").await;
    let kept = || std::fs::read_dir(agent.place.scratch().join("shells")).unwrap().count();
    assert_eq!(kept(), 0);
    for step in 0..120 {
        let name = agent.place.scratch().join(format!("shells/shell_0_{step}.log"));
        std::fs::write(name, "old").unwrap();
    }
    run(&agent, "seq 1 20000").await;
    assert_eq!(kept(), 100);
    let logs = agent.ok("bash_logs", json!({ "shell_id": "shell_2_1" })).await;
    assert!(logs["output"].as_str().unwrap().ends_with("\n20000\n"), "{logs}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_ends_with_all_that_it_has_started() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let cmd = format!("echo begun; setsid sleep {0} & sleep {0}", sleeper.seconds);
    let said = agent.error("bash_run", json!({ "cmd": cmd, "timeout_ms": 2000 })).await;
    assert!(said.contains("not done within 2s") && said.contains("begun"), "{said}");
    assert_eq!(sleeper.count(), 0);
}

#[tokio::test]
async fn nothing_of_a_command_outlives_it() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    run(
        &agent,
        &format!("setsid nohup sleep {} > /dev/null 2>&1 < /dev/null & echo started", sleeper.seconds),
    )
    .await;
    assert_eq!(sleeper.count(), 0);
}

#[tokio::test]
async fn output_of_a_command_in_the_background_shows_before_it_ends() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let cmd = format!("echo one; echo two; sleep {}", sleeper.seconds);
    let begun = agent.ok("bash_run", json!({ "cmd": cmd, "background": true })).await;
    assert_eq!((&begun["shell_id"], &begun["status"]), (&json!("shell_1_1"), &json!("running")));
    let logs = written(&agent, "shell_1_1", 8).await;
    assert_eq!(
        (&logs["status"], &logs["output"], &logs["nextOffset"]),
        (&json!("running"), &json!("one\ntwo\n"), &json!(8))
    );
    let rest = agent.ok("bash_logs", json!({ "shell_id": "shell_1_1", "offset": 4 })).await;
    assert_eq!(rest["output"], "two\n");
}

#[tokio::test]
async fn killing_ends_the_whole_tree_and_can_be_repeated() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let cmd = format!(
        "trap '' TERM HUP; (setsid sleep {0} &) ; bash -c 'sleep {0} & wait' & sleep {0}",
        sleeper.seconds
    );
    agent.ok("bash_run", json!({ "cmd": cmd, "background": true })).await;
    sleeper.counts(3).await;
    let killed = agent.ok("bash_kill", json!({ "shell_id": "shell_1_1" })).await;
    assert_eq!(
        killed,
        json!({ "ok": true, "shell_id": "shell_1_1", "ended": "now", "code": 137, "survivors": 0 })
    );
    assert_eq!(sleeper.count(), 0);
    let again = agent.ok("bash_kill", json!({ "shell_id": "shell_1_1" })).await;
    assert_eq!(again["ended"], "before");
    let logs = agent.ok("bash_logs", json!({ "shell_id": "shell_1_1" })).await;
    assert_eq!((&logs["status"], &logs["code"]), (&json!("ended"), &json!(137)));
}

#[tokio::test]
async fn an_interrupted_command_ends_and_tells_how_far_it_came() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let running = agent.outcome(
        "bash_run",
        json!({ "cmd": format!("echo begun; sleep {}", sleeper.seconds) }),
        Attempt::FIRST,
    );
    let interrupting = async {
        sleeper.counts(1).await;
        agent.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(running, interrupting);
    let said = words(&outcome);
    assert!(outcome.result.is_error && said.contains("begun") && said.contains("interrupted"), "{said}");
    assert_eq!(sleeper.count(), 0);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let running =
        agent.outcome("bash_run", json!({ "cmd": format!("sleep {}", sleeper.seconds) }), Attempt::FIRST);
    tokio::select! {
        _ended = running => panic!("it sleeps"),
        () = sleeper.counts(1) => {}
    }
    sleeper.counts(0).await;
}

#[tokio::test]
async fn a_command_that_nobody_wants_any_more_when_it_begins_is_not_left_running() {
    for background in [false, true] {
        let (agent, sleeper) = (Agent::new(), Sleeper::new());
        let wish = json!({ "cmd": format!("sleep {}", sleeper.seconds), "background": background });
        // The call comes first, and has by then asked for the command.
        let (said, ()) = tokio::join!(agent.error("bash_run", wish), async { agent.cancel.cancel() });
        assert!(said.contains("interrupted"), "{said}");
        until(|| agent.place.running() == 0).await;
        assert_eq!(sleeper.count(), 0);
    }
}

#[tokio::test]
async fn commands_end_with_their_place() {
    let (mut agent, sleeper) = (Agent::new(), Sleeper::new());
    let cmd = format!("setsid sleep {} & wait", sleeper.seconds);
    agent.ok("bash_run", json!({ "cmd": cmd, "background": true })).await;
    sleeper.counts(1).await;
    agent.restart();
    sleeper.counts(0).await;
    // What it has said is still there, and that it is gone is said.
    let logs = agent.ok("bash_logs", json!({ "shell_id": "shell_1_1" })).await;
    assert_eq!(logs["status"], "gone");
    assert_eq!(agent.ok("bash_kill", json!({ "shell_id": "shell_1_1" })).await["ended"], "before");
}

#[tokio::test]
async fn a_place_can_end_all_its_commands_and_go_on() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    for step in 1..=3 {
        let wish = json!({ "cmd": format!("sleep {}", sleeper.seconds), "background": true });
        agent.outcome("bash_run", wish, Attempt::of_step(step)).await;
    }
    sleeper.counts(3).await;
    assert_eq!((agent.place.running(), agent.place.end_processes().await), (3, 3));
    assert_eq!((agent.place.running(), sleeper.count()), (0, 0));
    assert_eq!(run(&agent, "echo on").await["output"], "on\n");
}

#[tokio::test]
async fn commands_of_other_agents_are_not_known() {
    let (mine, yours, sleeper) = (Agent::new(), Agent::new(), Sleeper::new());
    let wish = json!({ "cmd": format!("sleep {}", sleeper.seconds), "background": true });
    mine.ok("bash_run", wish).await;
    for tool in ["bash_logs", "bash_kill"] {
        for id in ["shell_1_1", "../../outside/secret", "shell_1_1/../shell_1_1"] {
            let said = yours.error(tool, json!({ "shell_id": id })).await;
            assert!(said.starts_with("there is no command"), "{said}");
        }
    }
    assert_eq!(mine.place.running(), 1);
}

#[tokio::test]
async fn no_more_commands_run_at_once_than_can_be_watched() {
    let (agent, sleeper) = (Agent::new(), Sleeper::new());
    let wish = || json!({ "cmd": format!("sleep {}", sleeper.seconds), "background": true });
    for step in 1..=16 {
        let begun = agent.outcome("bash_run", wish(), Attempt::of_step(step)).await;
        assert!(!begun.result.is_error, "{}", words(&begun));
    }
    let refused = agent.outcome("bash_run", wish(), Attempt::of_step(17)).await;
    assert!(words(&refused).contains("16 commands run already"), "{}", words(&refused));
}

#[tokio::test]
async fn without_a_launcher_nothing_runs_and_it_is_said() {
    let agent = Agent::with(built_in(), |settings| settings.commands = None);
    assert!(agent.error("bash_run", json!({ "cmd": "true" })).await.contains("can't be run"));
    let agent = Agent::with(built_in(), |settings| {
        let launcher = seawall_sandbox::Sandbox::with_launcher(Path::new("/nonexistent"));
        settings.commands.as_mut().unwrap().launcher = launcher;
    });
    let said = agent.error("bash_run", json!({ "cmd": "true", "background": true })).await;
    assert!(said.contains("the command does not run"), "{said}");
    assert_eq!(agent.place.running(), 0);
}
