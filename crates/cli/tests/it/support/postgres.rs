//! A PostgreSQL of one test, which ends with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A PostgreSQL of this test.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    /// The address of a database in it.
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("seawall-pg-").tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            assert!(Command::new("chown").arg("postgres:").arg(folder.path()).status().unwrap().success());
        }
        let data = folder.path().join("data").display().to_string();
        run(&program("initdb"), &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        let server = Self { folder, port, url: format!("postgres://postgres@127.0.0.1:{port}/postgres") };
        server.begin();
        server
    }

    /// Starts it, after it was killed.
    pub(crate) fn begin(&self) {
        let (folder, port) = (self.folder.path(), self.port);
        let listen = format!("-c listen_addresses=127.0.0.1 -p {port} -k {}", folder.display());
        let (data, log) =
            (folder.join("data").display().to_string(), folder.join("log").display().to_string());
        run(&program("pg_ctl"), &["-D", &data, "-l", &log, "-o", &listen, "-w", "start"]);
    }

    /// Its processes end at once, whatever they are at.
    pub(crate) fn kill(&self) {
        let data = self.folder.path().join("data").display().to_string();
        run(&program("pg_ctl"), &["-D", &data, "-m", "immediate", "-w", "stop"]);
    }

    /// The address of another, empty database.
    pub(crate) fn database(&self, name: &str) -> String {
        self.sql(&format!("create database {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL in the first database.
    pub(crate) fn sql(&self, sql: &str) {
        let done = Command::new(program("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url, "-c", sql])
            .output()
            .unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A test may have killed it already: then there is nothing to stop, and nothing to add to why it failed.
        let data = self.folder.path().join("data").display().to_string();
        let _stopped = command(&program("pg_ctl"), &["-D", &data, "-m", "immediate", "-w", "stop"]).status();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        versions.map(|version| version.path().join("bin").join(name)).find(|program| program.exists());
    found.expect("PostgreSQL is missing: install the Debian package postgresql")
}

fn run(program: &Path, arguments: &[&str]) {
    let status = command(program, arguments).status().unwrap();
    assert!(status.success(), "{} {arguments:?}", program.display());
}

/// A program as somebody who may run a database: root may not.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(if is_root() { Path::new("runuser") } else { program });
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(program);
    }
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
