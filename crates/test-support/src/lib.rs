//! What tests of several crates need of the machine: a PostgreSQL of their own. For tests alone; nothing of the product uses it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test panics when something is not as it needs it"
)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A server in a folder, made of the newest PostgreSQL that is installed. It goes on until somebody stops it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where its data, its socket and its log are.
    pub folder: PathBuf,
    /// The port on loopback.
    pub port: u16,
}

impl Server {
    /// Makes a cluster in a folder that is there, and starts it. `settings` are lines of its configuration.
    #[must_use]
    pub fn make(folder: &Path, settings: &str) -> Self {
        let server = Self { folder: folder.to_owned(), port: free_port() };
        give_away(folder);
        let data = server.data();
        run(&program("initdb"), &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        let given = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 300\n{settings}\n",
            server.port,
            folder.display()
        );
        let file = folder.join("data/postgresql.conf");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &given).unwrap();
        server.start();
        server
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Starts it, the first time or after it was killed.
    pub fn start(&self) {
        let log = self.folder.join("log").display().to_string();
        run(&program("pg_ctl"), &["-D", &self.data(), "-l", &log, "-w", "-t", "60", "start"]);
    }

    /// Ends all sessions, and starts it again.
    pub fn restart(&self) {
        let log = self.folder.join("log").display().to_string();
        run(&program("pg_ctl"), &["-D", &self.data(), "-l", &log, "-m", "fast", "-w", "restart"]);
    }

    /// Its processes end at once, whatever they are at.
    pub fn kill(&self) {
        run(&program("pg_ctl"), &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }

    /// The main process, of which all others are children.
    #[must_use]
    pub fn pid(&self) -> i32 {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Runs SQL as the superuser. What it says.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let folder = self.folder.display().to_string();
        let port = self.port.to_string();
        let arguments =
            ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", &folder, "-p", &port, "-U", "postgres"];
        let done =
            Command::new(program("psql")).args(arguments).args(["-d", database, "-c", sql]).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// The address of a database over TCP, as libpq has it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database over the socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.folder.display(), self.port)
    }
}

/// A server of one test, in a folder of its own. Both go with it.
#[derive(Debug)]
pub struct Postgres {
    /// The server.
    pub server: Server,
    /// The address of its first database.
    pub url: String,
    _folder: TempDir,
}

impl Postgres {
    /// Makes one. `settings` are lines of its configuration.
    #[must_use]
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("seawall-pg-").tempdir().unwrap();
        let server = Server::make(folder.path(), settings);
        Self { url: server.url("postgres"), server, _folder: folder }
    }

    /// The address of another, empty database.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        self.sql(&format!("create database {name}"));
        self.server.url(name)
    }

    /// Runs SQL in the first database.
    pub fn sql(&self, sql: &str) {
        self.server.sql("postgres", sql);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A test may have killed it already: then there is nothing to stop, and nothing to add to why it failed.
        let data = self.server.data();
        let _stopped = command(&program("pg_ctl"), &["-D", &data, "-m", "immediate", "-w", "stop"]).status();
    }
}

/// A program of the newest PostgreSQL there is.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.filter_map(|version| {
        Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
    });
    let newest = programs.filter(|(_, programs)| programs.join("initdb").exists()).max();
    newest.expect("PostgreSQL is missing: install the Debian package postgresql").1.join(name)
}

/// Runs a program as somebody who may run a server: root may not.
pub fn run(program: &Path, arguments: &[&str]) {
    let status = command(program, arguments).status().unwrap();
    assert!(status.success(), "{} {arguments:?}: {status}", program.display());
}

/// Servers that go on hold none of the test's own ends of pipes.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(if is_root() { Path::new("runuser") } else { program });
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(program);
    }
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Lets whoever runs servers have a file or folder.
pub fn give_away(path: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("postgres:").arg(path).status().unwrap().success());
    }
}

/// A port of which nobody else knows yet.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
