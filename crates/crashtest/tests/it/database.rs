//! A PostgreSQL of one test, which it may kill.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::plan::Place;

/// A server in a folder of its own. It ends with the test.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("seawall-pg-").tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            assert!(Command::new("chown").arg("postgres:").arg(folder.path()).status().unwrap().success());
        }
        let server = Self { folder, port };
        run("initdb", &["-D", &server.data(), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        server.begin();
        server
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    pub(crate) fn begin(&self) {
        let (port, folder) = (self.port, self.folder.path().display());
        // What survives a machine is not what these tests are about.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=300 -p {port} -k {folder}"
        );
        let log = self.folder.path().join("log").display().to_string();
        run("pg_ctl", &["-D", &self.data(), "-l", &log, "-o", &options, "-w", "start"]);
    }

    /// Its processes end at once, whatever they are at.
    pub(crate) fn kill(&self) {
        run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }

    pub(crate) fn place(&self) -> Place {
        Place::Postgres(format!("postgres://postgres@127.0.0.1:{}/postgres", self.port))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found = versions.map(|version| version.path().join("bin").join(name));
    found
        .find(|program| program.exists())
        .expect("PostgreSQL is missing: install the Debian package postgresql")
}

/// Runs a program as somebody who may run a database: root may not.
fn run(name: &str, arguments: &[&str]) {
    let program = program(name);
    let mut command = Command::new(if is_root() { Path::new("runuser") } else { &program });
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(&program);
    }
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "{name} {arguments:?}");
}
