//! How much of the machine a command gets. Relied on: a cgroup, or limits of single processes; each run says which.

use seawall_sandbox::{Ending, Layer};

use crate::support::{Place, python, run, shell, with_and_without};

const MIB: u64 = 1024 * 1024;

#[test]
fn ten_gigabytes_are_not_to_be_had() {
    let place = Place::new();
    for mut confinement in with_and_without(&place.confinement(), &[Layer::Cgroup, Layer::Namespaces]) {
        confinement.limits.memory_bytes = Some(256 * MIB);
        let done = run(confinement, python("x = bytearray(10 << 30); print('had', len(x))"));
        assert_ne!(done.code(), 0);
        assert_eq!(done.out, "");
    }
}

#[test]
fn what_is_within_the_limit_is_to_be_had() {
    let place = Place::new();
    for mut confinement in with_and_without(&place.confinement(), &[Layer::Cgroup]) {
        confinement.limits.memory_bytes = Some(256 * MIB);
        assert_eq!(run(confinement, python("x = bytearray(64 << 20); print(len(x) >> 20)")).out, "64\n");
    }
}

#[test]
fn the_ten_thousandth_process_is_not_reached() {
    let place = Place::new();
    let script = "import os, time\nn = 0\ntry:\n    for n in range(10000):\n        if os.fork() == 0: time.sleep(1000)\nexcept OSError: pass\nprint(n)";
    for mut confinement in with_and_without(&place.confinement(), &[Layer::Cgroup, Layer::Namespaces]) {
        // Where nothing holds root to a number, the test must not fill the machine.
        let is_open = rustix::process::getuid().is_root() && confinement.without.contains(&Layer::Cgroup);
        confinement.limits.processes = Some(32);
        let script = if is_open { script.replace("10000", "100") } else { script.to_owned() };
        let done = run(confinement, python(&script));
        assert_eq!(done.report.survivors, 0);
        let bounded = !done.report.layers.unavailable.iter().any(|reason| reason.starts_with("pids:"));
        assert_eq!(bounded, done.out.trim().parse::<u32>().unwrap() < 32, "{}", done.out);
    }
}

#[test]
fn a_cgroup_counts_what_it_refuses() {
    let place = Place::new();
    let mut confinement = place.confinement();
    confinement.limits.processes = Some(4);
    let script = "import os, time\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(1000)\nexcept OSError: pass";
    let done = run(confinement, python(script));
    if done.report.layers.has("cgroup") {
        assert!(done.report.violations > 0);
    }
    assert_eq!(done.report.survivors, 0);
}

#[test]
fn cgroups_are_removed() {
    let place = Place::new();
    let mut confinement = place.confinement();
    confinement.limits.memory_bytes = Some(64 * MIB);
    let child = crate::support::start(confinement, crate::support::piped(shell("cat /proc/self/cgroup")));
    let name = format!("seawall-{}", child.supervisor_id());
    child.wait().unwrap();
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink())
        {
            assert_ne!(path.file_name().unwrap().to_str(), Some(name.as_str()));
            folders.push(path);
        }
    }
}

#[test]
fn a_file_grows_to_its_limit() {
    let place = Place::new();
    let mut confinement = place.confinement();
    confinement.limits.file_bytes = Some(MIB);
    let done = run(confinement, shell("head -c 10000000 /dev/zero > big"));
    assert_ne!(done.code(), 0);
    assert_eq!(std::fs::metadata(place.root().join("big")).unwrap().len(), MIB);
}

#[test]
fn processor_time_is_limited_and_the_end_is_counted() {
    let place = Place::new();
    let mut confinement = place.confinement();
    confinement.limits.cpu_seconds = Some(1);
    let done = run(confinement, python("while True: pass"));
    assert!(matches!(done.report.ending, Ending::Signal(9 | 24)), "{:?}", done.report.ending);
}
