//! The binary as its users have it: started in a folder of its own, known by its ready line, ended by signals.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use seawall_types::{Scope, Usd, Window};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{self, Call};

/// The longest that a process may take to be ready, or to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder for one installation: its state, its configuration, its logs. Gone when dropped.
pub(crate) struct Home {
    dir: TempDir,
    started: AtomicU32,
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), started: AtomicU32::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The state folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Writes `seawall.yaml`, which every command of this home reads from now on.
    pub(crate) fn configure(&self, yaml: &str) {
        self.write("seawall.yaml", yaml);
    }

    /// The binary with an empty environment, on this home's state.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(args).arg("--data-dir").arg(self.data());
        if self.path("seawall.yaml").exists() {
            command.arg("--config").arg(self.path("seawall.yaml"));
        }
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.dir.path());
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        Ran {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed with `--json` and gives its answer.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Makes an API key and gives it.
    pub(crate) fn new_key(&self, name: &str, flags: &[&str]) -> String {
        let made = self.json(&[&["keys", "create", "--name", name], flags].concat());
        made["key"].as_str().unwrap().to_owned()
    }

    /// `seawall proxy` on a free port of loopback.
    pub(crate) fn proxy(&self, flags: &[&str]) -> Server {
        self.start(&[&["proxy", "--listen", "127.0.0.1:0", "--workers", "2"], flags].concat())
    }

    /// A command that becomes a server.
    pub(crate) fn start(&self, args: &[&str]) -> Server {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("stderr-{number}.log"));
        Server::start(self.command(args), log, self.data())
    }
}

/// A server that accepts connections. Killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The run that the ready line names.
    pub(crate) run: String,
    pub(crate) pid: u32,
    child: Option<Child>,
    stdout: Receiver<String>,
    log: PathBuf,
    data: PathBuf,
}

impl Server {
    fn start(mut command: Command, log: PathBuf, data: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let stdout = lines(BufReader::new(child.stdout.take().unwrap()));
        let Ok(line) = stdout.recv_timeout(PATIENCE) else {
            let _ended_already = child.kill();
            let status = child.wait();
            panic!("not ready, {status:?}: {}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        let field = |name: &str| {
            let found = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in {line:?}")).to_owned()
        };
        assert!(line.starts_with("seawall ready "), "{line:?}");
        Self {
            address: field("listen").strip_prefix("http://").unwrap().parse().unwrap(),
            run: field("run"),
            pid: field("pid").parse().unwrap(),
            child: Some(child),
            stdout,
            log,
            data,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether the process is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    /// SIGTERM, then waits for the orderly end.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for the end of a process that was told to end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let (ended, end) = channel();
        let waiting = std::thread::spawn(move || ended.send(child.wait().unwrap()));
        let status = end.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not end: {}", self.log()));
        waiting.join().unwrap().unwrap();
        status
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }

    /// What it has printed on stdout after the ready line.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.stdout.try_iter().collect()
    }

    /// What it has written to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The token that the command line uses, from the state folder.
    pub(crate) fn token(&self) -> String {
        let state: Value = serde_json::from_slice(&std::fs::read(self.data.join("server.json")).unwrap()).unwrap();
        state["token"].as_str().unwrap().to_owned()
    }

    /// What a page of the server's own API says, asked as its owner.
    pub(crate) async fn page(&self, path: &str) -> Value {
        let reply = client::send(self.address, Call::get(path).with_key(&self.token())).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// Every account of the ledger.
    pub(crate) async fn budgets(&self) -> Vec<Account> {
        accounts(&self.page("/api/budgets").await)
    }

    /// One account of the ledger.
    pub(crate) async fn budget(&self, scope: &str, window: Window) -> Account {
        find(self.budgets().await, scope, window)
    }

    /// The global account of all time.
    pub(crate) async fn total(&self) -> Account {
        self.budget("global", Window::Total).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The lines of a pipe, read as they come so that its writer never waits.
fn lines(pipe: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in pipe.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// One account, as `/api/budgets` and `budget show --json` tell of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) scope: Scope,
    pub(crate) window: Window,
    pub(crate) limit_usd: Option<Usd>,
    pub(crate) limit_tokens: Option<u64>,
    pub(crate) spent_usd: Usd,
    pub(crate) held_usd: Usd,
    pub(crate) holds: u64,
    pub(crate) resets_at: Option<String>,
    pub(crate) refusals: Vec<Value>,
}

impl Account {
    /// Spent and held.
    pub(crate) fn committed(&self) -> Usd {
        self.spent_usd.saturating_add(self.held_usd)
    }
}

/// The accounts in an answer of `budget show` or `/api/budgets`.
pub(crate) fn accounts(answer: &Value) -> Vec<Account> {
    serde_json::from_value(answer["budgets"].clone()).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// The account of a scope and a window.
pub(crate) fn find(accounts: Vec<Account>, scope: &str, window: Window) -> Account {
    let wanted: Scope = scope.parse().unwrap();
    let found = accounts.iter().find(|account| account.scope == wanted && account.window == window);
    found.unwrap_or_else(|| panic!("no account of {scope} ({window}) in {accounts:?}")).clone()
}

/// The newest file of a folder's tree with this name; used to look at what a server left on the disk.
pub(crate) fn files_named(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_named(&path, name));
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(path);
        }
    }
    found.sort();
    found
}
