//! What systemd is told over its socket: ready, reloading, stopping, alive, each when it is so.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as SocketName, UnixDatagram};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;

/// The longest that a test waits for a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// What listens as systemd does.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        Self::on(UnixDatagram::bind(path).unwrap())
    }

    fn on(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next message, as its lines.
    fn told(&self) -> Vec<String> {
        let mut message = [0; 4_096];
        let length = self.0.recv(&mut message).expect("a message in time");
        let text = std::str::from_utf8(&message[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The next messages are these, and lines that begin so are all that is in them.
    fn expect(&self, messages: &[&[&str]]) {
        for wanted in messages {
            let told = self.told();
            let alike = told.iter().zip(*wanted).all(|(line, wanted)| line.starts_with(wanted));
            assert!(alike && told.len() == wanted.len(), "{told:?} instead of {wanted:?}");
        }
    }

    /// Asserts that nothing more was said.
    fn expect_silence(&self) {
        self.0.set_nonblocking(true).unwrap();
        let error = self.0.recv(&mut [0; 64]).expect_err("nothing more");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

const READY: &[&str] = &["READY=1", "STATUS=listening on 127.0.0.1:"];
const RELOADING: &[&str] = &["RELOADING=1", "MONOTONIC_USEC="];
const READY_AGAIN: &[&str] = &["READY=1", "STATUS=serving"];
const STOPPING: &[&str] = &["STOPPING=1"];
const ALIVE: &[&str] = &["WATCHDOG=1"];

/// A setup that tells this manager, which is in its folder.
fn told(setup: Setup) -> (Setup, Manager) {
    let path = setup.path("notify");
    let manager = Manager::at(&path);
    (setup.env("NOTIFY_SOCKET", path.to_str().unwrap()), manager)
}

#[tokio::test]
async fn ready_comes_when_connections_are_accepted() {
    let (setup, manager) = told(Setup::simulated(""));
    let starting = std::thread::spawn(move || setup.start());
    let words = manager.told();
    assert_eq!(words[0], "READY=1");
    let address = words[1].strip_prefix("STATUS=listening on ").unwrap().parse().unwrap();
    assert_eq!(raw::exchange(address, raw::get("/health")).await.status, 200);
    assert_eq!(starting.join().unwrap().address, address);
}

#[tokio::test]
async fn a_whole_life_is_told_in_its_order_and_nothing_beside_it() {
    let (setup, manager) = told(Setup::simulated(""));
    let server = setup.start();
    manager.expect(&[READY]);
    for _ in 0..2 {
        server.signal(Signal::HUP);
        manager.expect(&[RELOADING, READY_AGAIN]);
    }
    assert_eq!(server.get("/health").await.status, 200);
    server.signal(Signal::TERM);
    manager.expect(&[STOPPING]);
    assert!(server.wait().success());
    manager.expect_silence();
}

fn microseconds(words: &[String]) -> u64 {
    words[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap()
}

#[test]
fn a_reload_is_dated_by_the_monotonic_clock() {
    let (setup, manager) = told(Setup::simulated(""));
    let server = setup.start();
    manager.expect(&[READY]);
    let begun = Instant::now();
    let mut dated = Vec::new();
    for _ in 0..3 {
        server.signal(Signal::HUP);
        dated.push(microseconds(&manager.told()));
        manager.expect(&[READY_AGAIN]);
    }
    let passed = u64::try_from(begun.elapsed().as_micros()).unwrap();
    // systemd takes an older date for a reload that it did not ask for.
    assert!(
        dated.is_sorted_by(|one, next| one < next) && dated[2] - dated[0] < passed,
        "{dated:?} in {passed}"
    );
    // The clock that also counts time asleep is never behind it.
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(dated[2] as f64 / 1e6 < uptime + 1.0, "{dated:?} after {uptime} s");
}

#[tokio::test]
async fn ready_again_means_that_the_new_configuration_is_in_force_or_that_it_was_refused() {
    let named = |name: &str| one_upstream("sim:").replace("name: main", &format!("name: {name}"));
    let (setup, manager) = told(Setup::proxy(&named("old")));
    let server = setup.start();
    manager.expect(&[READY]);
    let upstream = async || {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        answer.header("x-seawall-upstream").unwrap().to_owned()
    };
    for (text, in_force) in
        [(named("new"), "new"), ("colour: blue".to_owned(), "new"), (named("newer"), "newer")]
    {
        server.setup.replace("config.yaml", &text);
        manager.expect(&[RELOADING, READY_AGAIN]);
        assert_eq!(upstream().await, in_force);
    }
}

#[tokio::test]
async fn stopping_is_told_at_the_beginning_of_the_end() {
    let (setup, manager) = told(Setup::simulated("gateway: { timeouts: { drain_delay: 1h } }"));
    let server = setup.start();
    manager.expect(&[READY]);
    server.signal(Signal::TERM);
    manager.expect(&[STOPPING]);
    assert_eq!(server.get("/health").await.status, 200, "it goes on for the drain delay");
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    manager.expect_silence();
}

#[test]
fn a_watchdog_hears_twice_in_its_time_that_the_process_lives() {
    let begun = Instant::now();
    let (setup, manager) = told(Setup::simulated("").env("WATCHDOG_USEC", "400000"));
    let server = setup.start();
    manager.expect(&[READY, ALIVE, ALIVE, ALIVE, ALIVE, ALIVE]);
    // The first at once, then one every 200 ms.
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
    server.signal(Signal::TERM);
    while manager.told() != STOPPING {}
    assert!(server.wait().success());
}

#[test]
fn a_watchdog_that_is_another_processs_or_none_hears_nothing() {
    for (name, value) in [("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "0"), ("WATCHDOG_USEC", "soon")] {
        let (setup, manager) = told(Setup::simulated(""));
        let server = setup.env("WATCHDOG_USEC", "1000").env(name, value).start();
        manager.expect(&[READY]);
        assert!(server.stop().success(), "{name}={value}");
        manager.expect(&[STOPPING]);
        manager.expect_silence();
    }
}

#[test]
fn a_socket_whose_name_begins_with_an_at_lies_in_no_folder() {
    let name = format!("seawall-test-{}", std::process::id());
    let address = SocketName::from_abstract_name(&name).unwrap();
    let manager = Manager::on(UnixDatagram::bind_addr(&address).unwrap());
    let server = Setup::simulated("").env("NOTIFY_SOCKET", &format!("@{name}")).start();
    manager.expect(&[READY]);
    server.signal(Signal::HUP);
    manager.expect(&[RELOADING, READY_AGAIN]);
    assert!(server.stop().success());
    manager.expect(&[STOPPING]);
}

#[tokio::test]
async fn a_manager_that_does_not_listen_stops_nobody() {
    let serves = async |server: Program| {
        server.signal(Signal::HUP);
        server.wait_for_metric("seawall_config_reloads_total", &[], 1.0).await;
        assert!(server.stop().success());
    };
    for name in ["/nowhere/notify", "@seawall-nobody", "@", "relative", ""] {
        serves(Setup::simulated("").env("NOTIFY_SOCKET", name).start()).await;
    }
    let (setup, manager) = told(Setup::simulated(""));
    let server = setup.start();
    drop(manager);
    serves(server).await;
}
