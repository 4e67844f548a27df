//! The `seawall` binary as a child process, on a port and in a folder of its own, with nothing of this environment.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::child::{Exit, Said};
use super::eventually;
use super::metrics::Metrics;
use super::raw::{self, Answer};

/// A configuration that many tests begin with: everything, at this address, and nothing tried again.
pub(crate) fn one_upstream(url: &str) -> String {
    format!(
        "upstreams:\n  - name: main\n    base_url: \"{url}\"\n    retries: {{ attempts: 0 }}\n    breaker: {{ failures: 0 }}\n"
    )
}

/// What a server is to be started with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    folder: Arc<TempDir>,
    wrapper: Vec<String>,
    args: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// `seawall COMMAND` with a data directory in a folder of its own, which lives as long as the setup and its servers.
    pub(crate) fn new(command: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let setup =
            Self { folder, wrapper: Vec::new(), args: vec![command.to_owned()], environment: Vec::new() };
        let data = setup.data_dir();
        setup.args(["--data-dir", data.to_str().unwrap()])
    }

    /// A proxy with this configuration, on a free port.
    pub(crate) fn proxy(config: &str) -> Self {
        Self::new("proxy").config(config).args(["--listen", "127.0.0.1:0"])
    }

    /// A proxy with this configuration in front of the simulated provider in the same process.
    pub(crate) fn simulated(config: &str) -> Self {
        Self::proxy(&format!("{config}\n{}", one_upstream("sim:")))
    }

    /// Writes the configuration file and names it.
    pub(crate) fn config(self, text: &str) -> Self {
        let path = self.write("config.yaml", text);
        self.args(["--config", path.to_str().unwrap()])
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Puts a file into the place of another in one step, so that a server which watches never reads half of it.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let new = self.write(&format!("{name}.new"), text);
        std::fs::rename(new, self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another program starts it: this one, with these arguments before ours.
    pub(crate) fn under<A: Into<String>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    fn command(&self) -> Command {
        let mut words: VecDeque<&str> = self.wrapper.iter().map(String::as_str).collect();
        words.push_back(env!("CARGO_BIN_EXE_seawall"));
        let mut command = Command::new(words.pop_front().unwrap());
        command.args(words).args(&self.args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: for what does not start, or does not serve.
    pub(crate) fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Another command on the same data directory.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        self.cli_into(args, Stdio::piped())
    }

    /// The same, with its answer going there.
    pub(crate) fn cli_into(&self, args: &[&str], stdout: impl Into<Stdio>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(args).arg("--data-dir").arg(self.data_dir()).env_clear().current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(stdout).output().unwrap()
    }

    /// The command, which must succeed; what it prints, read as JSON.
    pub(crate) fn cli_json(&self, args: &[&str]) -> Value {
        let output = self.cli(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes an API key.
    pub(crate) fn key(&self, args: &[&str]) -> String {
        let created = self.cli_json(&[&["keys", "create"], args].concat());
        created["key"].as_str().unwrap().to_owned()
    }

    /// Every event in the traces on the disk, oldest first within a run.
    pub(crate) fn events(&self) -> Vec<Value> {
        let files = files_named(&self.data_dir().join("runs"), ".jsonl");
        let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        // The last line may be under way.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts it and waits until it accepts connections.
    pub(crate) fn start(&self) -> Program {
        let begun = Instant::now();
        let mut child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = child.id();
        let (stdout, stderr) = (Said::default(), Said::default());
        stdout.listen(child.stdout.take().unwrap());
        stderr.listen(child.stderr.take().unwrap());
        let exit = Exit::default();
        let told = exit.clone();
        std::thread::spawn(move || told.tell(child.wait().unwrap()));
        let Some(line) = stdout.wait_for("seawall ready ") else {
            panic!("no ready line; stderr: {}", stderr.all());
        };
        let address = line.split_once("http://").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        Program { setup: self.clone(), address, pid: id, begun, stdout, stderr, exit }
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Program {
    pub(crate) setup: Setup,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// When it was started.
    pub(crate) begun: Instant,
    pub(crate) stdout: Said,
    pub(crate) stderr: Said,
    exit: Exit,
}

impl Program {
    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        raw::exchange(self.address, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(raw::get(path)).await
    }

    /// What is answered with to JSON that is posted, which must be taken.
    pub(crate) async fn posted(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask(raw::post(path, body.to_string())).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json()
    }

    /// The JSON at a path, which must be there.
    pub(crate) async fn got(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn connect(&self) -> raw::Connection {
        raw::Connection::open(self.address).await
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::read(self.get("/metrics").await.text())
    }

    /// Waits until a sum of metrics is this high.
    pub(crate) async fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], at_least: f64) {
        eventually(name, async || {
            let value = self.metrics().await.sum(name, labels);
            if value >= at_least { Ok(()) } else { Err(value) }
        })
        .await;
    }

    /// Waits until `/ready` says what is wanted, and gives it.
    pub(crate) async fn wait_for_ready(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("/ready", async || {
            let ready = self.get("/ready").await.json();
            if wanted(&ready) { Ok(ready) } else { Err(ready) }
        })
        .await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.exit.status().is_none(), "it has ended: {}", self.stderr.all());
        kill_process(self.process(), signal).unwrap();
    }

    fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> ExitStatus {
        self.exit.wait().unwrap_or_else(|| panic!("it goes on; stderr: {}", self.stderr.all()))
    }

    /// Ends it in an orderly way.
    pub(crate) fn stop(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.exit.status().is_some()
    }

    /// The most memory it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kilobytes * 1024
    }
}

impl Drop for Program {
    #[expect(clippy::print_stderr, reason = "why a test failed is often in the server's log")]
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ended_meanwhile = kill_process(self.process(), Signal::KILL);
            let _reaped = self.exit.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- stderr of the server\n{}", self.stderr.all());
        }
    }
}

/// The files under a folder that have this name or, with a dot before it, this ending.
pub(crate) fn files_named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_named(&path, name));
        } else if path.file_name().is_some_and(|file| file.to_string_lossy().ends_with(name)) {
            found.push(path);
        }
    }
    found.sort();
    found
}
