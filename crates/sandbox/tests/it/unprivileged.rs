//! The same for a user without powers: when root runs the tests, this runs them again as nobody.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user and the group `nobody`, by the kernel's own habit (overflowuid).
const NOBODY: u32 = 65534;

#[test]
fn all_of_it_holds_for_nobody_too() {
    if !rustix::process::getuid().is_root() {
        println!("these tests run without powers already");
        return;
    }
    // One after the other: without namespaces a limit on processes counts all of this user's.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--test-threads=1", "--skip", "unprivileged::"])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}\n{errors}");
}
