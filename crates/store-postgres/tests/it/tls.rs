//! Connections that are secret: what is checked of the server's certificate, and what is refused.

use std::path::Path;
use std::process::{Command, Stdio};

use seawall_store::StoreError;
use seawall_store_postgres::{Options, PostgresStore};

use crate::cluster::{Own, Server, shared};

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("openssl is missing: install the Debian package openssl");
    assert!(status.success(), "openssl {arguments}");
}

/// An authority, and a certificate of it for `localhost`.
fn certify(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=authority",
    );
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server");
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";
    openssl(folder, sign);
}

fn opens(server: &Server, host: &str, parameters: &str) -> Result<(), StoreError> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{parameters}", server.port);
    PostgresStore::open(&Options::parse(&url).unwrap()).map(drop)
}

#[test]
fn as_much_is_checked_as_is_asked_for() {
    let own = Own::start("fsync = off");
    let folder = &own.server.folder;
    certify(folder);
    own.server.sql("postgres", "alter system set ssl_cert_file = '../server.pem'");
    own.server.sql("postgres", "alter system set ssl_key_file = '../server.key'");
    own.server.sql("postgres", "alter system set ssl = on");
    for file in ["server.key", "server.pem"] {
        seawall_test_support::give_away(&folder.join(file));
    }
    own.server.restart();

    let authority = folder.join("ca.pem").display().to_string();
    let encrypted = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'seawall'";
    for (host, parameters, is_fine) in [
        ("localhost", "sslmode=require".to_owned(), true),
        ("localhost", format!("sslmode=verify-full&sslrootcert={authority}"), true),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={authority}"), false),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={authority}"), true),
        ("localhost", "sslmode=verify-full".to_owned(), false),
        ("localhost", "sslmode=verify-ca".to_owned(), false),
        ("localhost", "sslmode=disable".to_owned(), true),
        ("localhost", "sslmode=prefer".to_owned(), true),
    ] {
        let opened = opens(&own.server, host, &parameters);
        assert_eq!(opened.is_ok(), is_fine, "{host} {parameters}: {opened:?}");
    }
    let url = format!("postgres://postgres@localhost:{}/postgres?sslmode=require", own.server.port);
    let _store = PostgresStore::open(&Options::parse(&url).unwrap()).unwrap();
    assert_eq!(own.server.sql("postgres", encrypted), "t");
}

#[test]
fn who_wants_a_secret_connection_gets_no_other() {
    let server = &shared().server;
    for mode in ["require", "verify-ca", "verify-full"] {
        assert!(opens(server, "localhost", &format!("sslmode={mode}")).is_err(), "{mode}");
    }
}
