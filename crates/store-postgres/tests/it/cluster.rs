//! Servers for tests: one that all tests of a run share, each in a database of its own, and others that a test may kill.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_store::conformance::agents::{Opened, Time};
use seawall_store_postgres::{Options, PostgresStore};
use seawall_types::Timestamp;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The database that is copied for each test: the schema is in it.
const TEMPLATE: &str = "seawall_template";

/// How a test speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Pooled,
}

/// A server in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

impl Server {
    /// Makes a cluster and starts it. `settings` are lines of its configuration.
    fn make(folder: &Path, settings: &str) -> Self {
        let server = Self { folder: folder.to_owned(), port: free_port() };
        give_away(folder);
        let data = server.data();
        as_server(
            &program("initdb"),
            &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"],
        );
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

    pub(crate) fn start(&self) {
        let log = self.folder.join("log").display().to_string();
        as_server(&program("pg_ctl"), &["-D", &self.data(), "-l", &log, "-w", "-t", "60", "start"]);
    }

    pub(crate) fn restart(&self) {
        let log = self.folder.join("log").display().to_string();
        as_server(&program("pg_ctl"), &["-D", &self.data(), "-l", &log, "-m", "fast", "-w", "restart"]);
    }

    /// The main process, of which all others are children.
    pub(crate) fn pid(&self) -> i32 {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Runs SQL as the superuser.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
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
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database over the socket.
    pub(crate) fn socket_url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.folder.display(), self.port)
    }

    /// A connection that is no store's.
    pub(crate) async fn client(&self, database: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await.unwrap();
        drop(Group::new().spawn("a test's connection", async move { drop(connection.await) }));
        client
    }
}

/// A server of one test, which ends with it.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) server: Server,
    _folder: TempDir,
}

impl Own {
    pub(crate) fn new(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("seawall-pg-").tempdir().unwrap();
        Self { server: Server::make(folder.path(), settings), _folder: folder }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let file = self.server.folder.join("data/postmaster.pid");
        if file.exists() {
            kill(self.server.pid(), "-QUIT");
            while file.exists() {
                std::thread::yield_now();
            }
        }
    }
}

/// The server of all tests, and PgBouncer before it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: Server,
    pub(crate) pooler_port: u16,
    /// Held for as long as this process lives: who keeps the servers stops them when nobody holds it.
    _user: File,
}

/// Tests are processes of their own, so what they share is found by its place. The first one starts it.
pub(crate) fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("seawall-pg-shared-{:x}", place()));
        let open = |name: &str| File::create(folder.with_extension(name)).unwrap();
        let user = open("users");
        user.lock_shared().unwrap();
        let starting = open("starting");
        starting.lock().unwrap();
        if !folder.join("ready").exists() {
            start_shared(&folder);
        }
        let ready = fs::read_to_string(folder.join("ready")).unwrap();
        let (port, pooler_port) = ready.split_once(' ').unwrap();
        let server = Server { folder, port: port.parse().unwrap() };
        Shared { server, pooler_port: pooler_port.parse().unwrap(), _user: user }
    })
}

/// Another number for each checkout.
fn place() -> u64 {
    env!("CARGO_TARGET_TMPDIR")
        .bytes()
        .fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

fn start_shared(folder: &Path) {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder).unwrap();
    // What survives a machine is not what these tests are about.
    let server = Server::make(folder, "fsync = off\nfull_page_writes = off\nshared_buffers = 64MB");
    server.sql("postgres", &format!("create database {TEMPLATE}"));
    let store = PostgresStore::open(&Options::parse(&server.url(TEMPLATE)).unwrap()).unwrap();
    drop(store);
    let pooler_port = start_pooler(&server);
    keep(folder);
    fs::write(folder.join("ready"), format!("{} {pooler_port}", server.port)).unwrap();
}

fn start_pooler(server: &Server) -> u16 {
    let (port, folder) = (free_port(), server.folder.display());
    let file = server.folder.join("pgbouncer.ini");
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n\
         max_client_conn = 1000\ndefault_pool_size = 8\nlogfile = {folder}/pgbouncer.log\npidfile = {folder}/pgbouncer.pid\n",
        server.port
    );
    fs::write(&file, settings).unwrap();
    fs::write(server.folder.join("users"), "\"postgres\" \"\"\n").unwrap();
    let program = Path::new("/usr/sbin/pgbouncer");
    assert!(program.exists(), "{} is missing: install the Debian package pgbouncer", program.display());
    as_server(program, &["-d", &file.display().to_string()]);
    while !server.folder.join("pgbouncer.pid").exists() {
        std::thread::yield_now();
    }
    port
}

/// Leaves somebody behind who stops the servers when no test has used them for some seconds.
fn keep(folder: &Path) {
    const KEEPER: &str = r#"
        free=0
        while [ $free -lt 3 ]; do
            sleep 1
            if flock -n -x "$1.users" true; then free=$((free + 1)); else free=0; fi
        done
        exec flock -x "$1.users" sh -c '
            kill -QUIT $(cat "$1/pgbouncer.pid") $(head -n 1 "$1/data/postmaster.pid")
            for _ in $(seq 100); do [ -e "$1/data/postmaster.pid" ] && sleep 0.1; done
            rm -rf "$1"' sh "$1"
    "#;
    let mut keeper = Command::new("setsid");
    keeper.args(["sh", "-c", KEEPER, "sh", &folder.display().to_string()]);
    keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(keeper.spawn().unwrap());
}

/// A program of the newest PostgreSQL there is.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions
        .filter_map(|version| {
            Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found.pop().expect("PostgreSQL is missing: install the Debian package postgresql");
    newest.1.join(name)
}

/// Runs a program as somebody who may run a server: root may not.
fn as_server(program: &Path, arguments: &[&str]) {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // Servers that go on hold none of the test's own ends of pipes.
    let status = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    let status = status.status().unwrap();
    assert!(status.success(), "{} {arguments:?}: {status}", program.display());
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

pub(crate) fn give_away(folder: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("postgres:").arg(folder).status().unwrap().success());
    }
}

pub(crate) fn kill(pid: i32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// A port of which nobody else knows yet.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A database of one test, on the shared server. It goes with it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) shared: &'static Shared,
}

impl Database {
    pub(crate) fn new() -> Self {
        let (shared, name) = (shared(), format!("test_{:016x}", fastrand::u64(..)));
        // Copies of one database are made one after the other.
        let copying = File::create(shared.server.folder.with_extension("copying")).unwrap();
        copying.lock().unwrap();
        shared.server.sql("postgres", &format!("create database {name} template {TEMPLATE}"));
        Self { name, shared }
    }

    pub(crate) fn url(&self, way: Way) -> String {
        match way {
            Way::Direct => self.shared.server.url(&self.name),
            Way::Pooled => format!("postgres://postgres@127.0.0.1:{}/{}", self.shared.pooler_port, self.name),
        }
    }

    /// The store, with more parameters.
    pub(crate) fn open(&self, way: Way, parameters: &str) -> Arc<PostgresStore> {
        let url = format!("{}?{parameters}", self.url(way));
        Arc::new(PostgresStore::open(&Options::parse(&url).unwrap()).unwrap())
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.shared.server.sql(&self.name, sql)
    }

    pub(crate) async fn client(&self) -> Client {
        self.shared.server.client(&self.name).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.shared.server.sql("postgres", &format!("drop database {} with (force)", self.name));
    }
}

/// The server's clock can't be moved: what is kept of times is brought forward. A little more than is asked for, since who
/// is due this very moment is left to its own worker for another one.
#[derive(Debug)]
struct ServerTime(Database);

impl Time for ServerTime {
    fn now(&self) -> Pin<Box<dyn Future<Output = Timestamp> + Send + '_>> {
        let micros = self.0.sql("select (extract(epoch from clock_timestamp()) * 1000000)::bigint");
        Box::pin(async move { Timestamp::from_micros(micros.parse().unwrap()) })
    }

    fn pass(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let by = format!("interval '{} milliseconds'", by.as_millis());
        self.0.sql(&format!(
            "update seawall_agent_worker set lease_until = lease_until - {by}; \
             update seawall_agent set queued_at = queued_at - {by} - interval '300 milliseconds', \
             due = due - {by} - interval '300 milliseconds'"
        ));
        Box::pin(async {})
    }
}

/// A fresh store, opened twice.
pub(crate) fn opened(way: Way) -> impl Future<Output = Opened> {
    let database = Database::new();
    let (store, other) = (database.open(way, "pool_max=5"), database.open(way, "pool_max=5"));
    std::future::ready(Opened { store, other, time: Arc::new(ServerTime(database)) })
}
