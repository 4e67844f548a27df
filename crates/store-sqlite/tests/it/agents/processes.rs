//! Several processes on one file, and processes that die.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use seawall_engine::MessageId;
use seawall_store::agents::{AgentStore, Hint, check_consistency};
use tokio::task::JoinSet;

use super::open;
use super::sender::Sender;

/// Agents that are written at the same time.
const AGENTS: usize = 8;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// A process that sends messages as quickly as it can, and says which were accepted.
struct Other {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Other {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "agents::processes::a_process_that_sends", "--ignored", "--nocapture"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Self { process, out }
    }

    /// The next so many messages that were accepted.
    fn next(&mut self, messages: usize) -> Vec<(String, MessageId)> {
        let mut lines = Vec::new();
        while lines.len() < messages {
            let mut line = String::new();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "it ended");
            lines.extend(accepted(&line));
        }
        lines
    }

    /// What was accepted until it was killed, and that is so many messages at least.
    fn kill_after(mut self, messages: usize) -> Vec<(String, MessageId)> {
        let mut lines = self.next(messages);
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        // A line that lacks its end was not told.
        let whole = rest.rsplit_once('\n').map_or("", |(whole, _)| whole);
        lines.extend(whole.lines().filter_map(accepted));
        lines
    }
}

fn accepted(line: &str) -> Option<(String, MessageId)> {
    let (agent, message) = line.trim_end().strip_prefix("accepted ")?.split_once(' ')?;
    Some((agent.to_owned(), MessageId(message.into())))
}

#[test]
#[ignore = "started by the other tests, as another process"]
fn a_process_that_sends() {
    runtime().block_on(async {
        let store = open(Path::new("seawall.db"));
        let mut senders = Vec::new();
        for number in 0..AGENTS {
            senders.push(Sender::new(&store, &format!("a{number}")).await);
        }
        let mut tasks = JoinSet::new();
        for mut sender in senders {
            tasks.spawn(async move {
                loop {
                    // Some in their rows, some among the blobs.
                    let bytes = if sender.agent().seq().is_multiple_of(16) { 100_000 } else { 500 };
                    let message = sender.send(bytes).await.unwrap();
                    println!("accepted {} {message}", sender.id());
                }
            });
        }
        tasks.join_all().await
    });
}

#[test]
fn what_was_accepted_is_there_when_its_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    for round in 0..10 {
        let told = Other::start(folder.path()).kill_after(20 + round * 7);
        runtime().block_on(async {
            let store = open(&file);
            for (agent, message) in told {
                let accepted = store.accepted(&agent.parse().unwrap(), &message).await.unwrap();
                assert!(accepted.is_some(), "round {round}: {agent} {message}");
            }
            for number in 0..AGENTS {
                let agent = format!("a{number}").parse().unwrap();
                let consistency = check_consistency(&*store, &agent).await.unwrap();
                assert!(consistency.is_consistent(), "round {round}: {consistency:?}");
            }
        });
    }
}

#[test]
fn processes_that_write_at_the_same_time_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start(folder.path());
    other.next(1);
    runtime().block_on(async {
        let store = open(&folder.path().join("seawall.db"));
        let mut sender = Sender::new(&store, "ours").await;
        for _ in 0..50 {
            sender.send(500).await.unwrap();
        }
        assert_eq!(store.load(sender.id()).await.unwrap().unwrap().agent(), sender.agent());
    });
    assert!(other.kill_after(50).len() >= 50);
}

#[test]
fn who_listens_is_told_what_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    runtime().block_on(async {
        let (store, other) = (open(&file), open(&file));
        let mut hints = store.listen().unwrap();
        assert_eq!(hints.next().await, Hint::All, "before it was looked");
        for name in ["a", "b"] {
            let mut sender = Sender::new(&other, name).await;
            while hints.next().await != Hint::Agent(sender.id().clone()) {}
            sender.send(10).await.unwrap();
            assert_eq!(hints.next().await, Hint::Agent(sender.id().clone()));
        }
        assert!(other.purge(&"b".parse().unwrap()).await.unwrap());
        assert_eq!(hints.next().await, Hint::All, "what was removed can't be named");
        store.close().await.unwrap();
    });
}
