//! How a command's end reaches its caller.

use std::io::{Read, Write};
use std::time::Duration;

use seawall_sandbox::{Command, Confinement, Ending, Layer, SpawnError, Stream};

use crate::support::{Place, piped, python, run, sandbox, shell, start, with_and_without};

#[test]
fn codes_and_signals_are_passed_on() {
    let place = Place::new();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        assert_eq!(run(confinement.clone(), shell("exit 0")).report.ending, Ending::Code(0));
        assert_eq!(run(confinement.clone(), shell("exit 42")).report.ending, Ending::Code(42));
        let done = run(confinement, shell("kill -TERM $$"));
        assert_eq!((done.report.ending, done.code()), (Ending::Signal(15), 143));
    }
}

#[test]
fn a_program_that_is_not_there_is_told_apart_from_one_that_may_not_run() {
    let place = Place::new();
    let spawn = |program: &str| sandbox().spawn(place.confinement(), piped(Command::new(program)));
    assert!(matches!(spawn("no-such-program"), Err(SpawnError::NotFound(_))));
    std::fs::write(place.root().join("text"), "no program").unwrap();
    let text = place.root().join("text");
    assert!(matches!(spawn(text.to_str().unwrap()), Err(SpawnError::NotExecutable(_))));
}

#[test]
fn a_root_that_is_not_there_is_refused_by_its_name() {
    let place = Place::new();
    let confinement = Confinement::of(&place.root().join("missing"));
    let Err(SpawnError::Refused(reason)) = sandbox().spawn(confinement, piped(shell("true"))) else {
        panic!("it ran")
    };
    assert!(reason.contains("missing"), "{reason}");
}

#[test]
fn streams_reach_the_command_and_come_back() {
    let place = Place::new();
    let command = Command::new("/bin/cat").stdin(Stream::Piped).stdout(Stream::Piped);
    let mut child = start(place.confinement(), command);
    child.stdin.take().unwrap().write_all(b"through").unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "through");
    assert_eq!(child.wait().unwrap().ending, Ending::Code(0));
}

#[test]
fn when_the_time_is_up_everybody_is_ended() {
    let place = Place::new();
    for mut confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        confinement.limits.wall_time = Some(Duration::from_millis(200));
        let done = run(confinement, shell("(trap '' TERM; sleep 1000) & setsid sleep 1000 & sleep 1000"));
        assert!(done.report.timed_out);
        assert_eq!((done.code(), done.report.survivors), (137, 0));
    }
}

#[test]
fn the_caller_can_end_the_family_at_any_time() {
    let place = Place::new();
    let mut child = start(place.confinement(), piped(shell("echo up; setsid sleep 1000 & sleep 1000")));
    let mut out = child.stdout.take().unwrap();
    let mut up = [0; 3];
    out.read_exact(&mut up).unwrap();
    child.kill_family();
    let report = child.wait().unwrap();
    assert_eq!((report.ending, report.survivors, report.timed_out), (Ending::Signal(9), 0, false));
    assert_eq!(out.read(&mut up).unwrap(), 0, "the pipe has no writer any more");
}

#[test]
fn the_environment_is_what_was_given_and_four_more() {
    let place = Place::new();
    let done = run(place.confinement(), Command::new("/usr/bin/env").env("GIVEN", "yes"));
    let mut lines: Vec<_> = done.out.lines().collect();
    lines.sort_unstable();
    let home = format!("HOME={}", place.root().display());
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(lines, ["GIVEN=yes", home.as_str(), "LANG=C.UTF-8", path, "TERM=dumb"]);
}

#[test]
fn no_descriptor_but_the_streams_is_inherited() {
    let place = Place::new();
    let secret = std::fs::File::open(place.secret()).unwrap();
    // A descriptor that a careless library left open over exec.
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        let listing = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))";
        // 3 is the listing's own.
        assert_eq!(run(confinement, python(listing)).out, "[0, 1, 2, 3]\n");
    }
}

#[test]
fn it_stands_in_no_session_of_ours() {
    let place = Place::new();
    let ours = own_session();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        let theirs: i32 =
            run(confinement, python("import os; print(os.getsid(0))")).out.trim().parse().unwrap();
        assert_ne!(theirs, ours);
        assert_ne!(theirs, 0, "a session whose leader it can't see is somebody else's");
    }
}

/// The session of this process, as the kernel's table says. 0 when its leader lives in a namespace above ours, as in
/// many containers; `rustix::process::getsid` takes that for impossible and panics.
fn own_session() -> i32 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // pid (comm) state ppid pgrp session: the name may hold spaces, and ends at the last parenthesis.
    let (_, after) = stat.rsplit_once(')').unwrap();
    after.split_whitespace().nth(3).unwrap().parse().unwrap()
}
