//! Nobody is left alive, whatever he did to stay. Relied on: the process namespace; without it, adoption of orphans.
//!
//! That somebody lives shows in a pipe: every member of a family inherits its end, and it reads as ended only when all of
//! them are gone. So nothing here waits for a time to pass.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use seawall_sandbox::Layer;

use crate::support::{LAUNCHER, Place, python, run, with_and_without};

/// Leaves its parent in every way there is, says so, and goes on (or ends).
fn deserters(then: &str) -> String {
    format!(
        r"
import os, sys, time, signal
ready, told = os.pipe()
def stay():
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
    os.write(told, b'x')
    time.sleep(1000)
for way in range(4):
    if os.fork() == 0:
        if way > 0: os.setsid()
        if way > 1 and os.fork(): os._exit(0)
        if way > 2:
            os.setpgid(0, 0)
            if os.fork(): os._exit(0)
        stay()
left = 4
while left: left -= len(os.read(ready, left))
print('deserted', flush=True)
{then}
"
    )
}

#[test]
fn deserters_end_with_the_command() {
    let place = Place::new();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        // `run` reads the pipe to its end, which only comes when they are gone.
        let done = run(confinement, python(&deserters("sys.exit(7)")));
        assert_eq!((done.out.as_str(), done.code(), done.report.survivors), ("deserted\n", 7, 0));
    }
}

#[test]
fn a_caller_that_is_killed_takes_everybody_along() {
    let place = Place::new();
    let mut caller = Command::new(LAUNCHER)
        .arg(place.root())
        .args(["/usr/bin/python3", "-c", &deserters("time.sleep(1000)")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(caller.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "deserted\n");
    caller.kill().unwrap();
    caller.wait().unwrap();
    line.clear();
    assert_eq!(out.read_line(&mut line).unwrap(), 0, "all writers of the pipe are gone");
}

#[test]
fn a_supervisor_that_is_killed_takes_the_process_namespace_along() {
    let place = Place::new();
    let mut child = crate::support::start(
        place.confinement(),
        crate::support::piped(python(&deserters("time.sleep(1000)"))),
    );
    if !child.layers().enforced.iter().any(|layer| layer.contains("pid")) {
        println!("no process namespace here");
        return;
    }
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let supervisor = i32::try_from(child.supervisor_id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(supervisor.unwrap(), rustix::process::Signal::KILL).unwrap();
    line.clear();
    assert_eq!(out.read_line(&mut line).unwrap(), 0, "all writers of the pipe are gone");
    assert!(child.wait().is_err(), "nothing is known, and that is said");
}

#[test]
fn those_who_fork_faster_than_they_are_killed_are_ended_too() {
    let place = Place::new();
    let bomb = "import os, time\nprint('on', flush=True)\nend = time.monotonic() + 0.3\nn = 0\nwhile time.monotonic() < end:\n    try:\n        if os.fork() == 0 and n > 3: os.setsid()\n        n += 1\n    except OSError: pass\n";
    for mut confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        confinement.limits.processes = Some(64);
        let done = run(confinement, python(bomb));
        assert_eq!(done.report.survivors, 0);
    }
}
