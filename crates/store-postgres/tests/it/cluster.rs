//! The server that all tests of a run share, each in a database of its own, and PgBouncer before it.

use std::fs::{self, File};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_store::conformance::agents::{Opened, Time};
use seawall_store_postgres::{Options, PostgresStore};
use seawall_test_support::{free_port, run};
use seawall_types::Timestamp;
use tokio_postgres::{Client, NoTls};

pub(crate) use seawall_test_support::{Postgres as Own, Server};

/// The database that is copied for each test: the schema is in it.
const TEMPLATE: &str = "seawall_template";

/// How a test speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Pooled,
}

/// A connection that is no store's.
pub(crate) async fn client(server: &Server, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(database), NoTls).await.unwrap();
    drop(Group::new().spawn("a test's connection", async move { drop(connection.await) }));
    client
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
    run(program, &["-d", &file.display().to_string()]);
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

pub(crate) fn kill(pid: i32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
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
        client(&self.shared.server, &self.name).await
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
