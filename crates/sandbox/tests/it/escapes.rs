//! Ways round the other layers. Relied on: seccomp, Landlock's scopes, the process namespace.

use seawall_sandbox::{Ending, Layer};

use crate::support::{Place, python, run, shell, with_and_without};

/// A system call by its number, with the error that it ended with.
fn call(number: i64, arguments: &str) -> String {
    format!(
        "import ctypes; c = ctypes.CDLL(None, use_errno=True); r = c.syscall({number}, {arguments}); print(r, ctypes.get_errno())"
    )
}

#[test]
fn calls_that_lead_round_the_other_layers_are_refused() {
    let place = Place::new();
    let namespace_flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
    let refused = [
        ("io_uring_setup", libc::SYS_io_uring_setup, "8, ctypes.create_string_buffer(120)".to_owned()),
        ("ptrace", libc::SYS_ptrace, "0, 0, 0, 0".to_owned()),
        ("process_vm_readv", libc::SYS_process_vm_readv, "1, 0, 0, 0, 0, 0".to_owned()),
        ("bpf", libc::SYS_bpf, "0, 0, 0".to_owned()),
        ("keyctl", libc::SYS_keyctl, "0, 0, 0, 0, 0".to_owned()),
        ("mount", libc::SYS_mount, "b'none', b'/tmp', b'tmpfs', 0, 0".to_owned()),
        ("unshare", libc::SYS_unshare, namespace_flags.to_string()),
        ("clone", libc::SYS_clone, format!("{namespace_flags} | 17, 0, 0, 0, 0")),
        ("setns", libc::SYS_setns, "0, 0".to_owned()),
        ("userfaultfd", libc::SYS_userfaultfd, "1".to_owned()),
        ("perf_event_open", libc::SYS_perf_event_open, "0, 0, 0, 0, 0".to_owned()),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, "0, 0, 0".to_owned()),
        ("ioctl TIOCSTI", libc::SYS_ioctl, "0, 0x5412, b'x'".to_owned()),
        ("ioctl TIOCSTI, high bits set", libc::SYS_ioctl, "0, ctypes.c_ulong(0x100005412), b'x'".to_owned()),
    ];
    for (name, number, arguments) in refused {
        let done = run(place.confinement(), python(&call(number, &arguments)));
        assert_eq!(done.out, format!("-1 {}\n", libc::EPERM), "{name}");
    }
    let done = run(place.confinement(), python(&call(libc::SYS_clone3, "0, 0")));
    assert_eq!(done.out, format!("-1 {}\n", libc::ENOSYS), "clone3");
}

#[test]
fn what_nobody_does_by_accident_ends_the_process_and_is_counted() {
    let place = Place::new();
    let done = run(place.confinement(), python(&call(libc::SYS_finit_module, "0, b'', 0")));
    assert_eq!(done.report.ending, Ending::Signal(31), "SIGSYS");
    assert_eq!(done.report.violations, 1);
    // Also in a child that the command starts and leaves.
    let in_child = format!("import os\nif os.fork() == 0:\n    {}", call(libc::SYS_reboot, "0, 0, 0, 0"));
    let script = format!("{in_child}\nelse:\n    os.wait()");
    // The command reaps its own child, so that this one can't be seen; its end can.
    assert_eq!(run(place.confinement(), python(&script)).out, "");
}

#[test]
fn the_caller_can_be_neither_killed_nor_looked_into() {
    let place = Place::new();
    let caller = std::process::id();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        for attempt in [
            format!("kill -9 {caller}"),
            "kill -9 $PPID; exit 1".to_owned(),
            format!("cat /proc/{caller}/environ"),
            format!("cat /proc/{caller}/mem"),
            format!("ls -l /proc/{caller}/fd/"),
        ] {
            let done = run(confinement.clone(), shell(&attempt));
            assert_ne!(done.code(), 0, "{attempt}");
            assert_eq!(done.report.survivors, 0);
        }
    }
}

#[test]
fn nobody_outside_is_seen_in_a_process_namespace() {
    let place = Place::new();
    let done = run(place.confinement(), shell("ls /proc | grep -c '^[0-9]'"));
    if done.report.layers.enforced.iter().any(|layer| layer.contains("pid")) {
        let seen: u32 = done.out.trim().parse().unwrap();
        assert!(seen <= 4, "the keeper, the shell, ls and grep, and not {seen}");
    }
}

#[test]
fn there_is_no_power_to_be_had() {
    let place = Place::new();
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces]) {
        let done = run(
            confinement,
            shell("grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status"),
        );
        for line in done.out.lines().filter(|line| line.starts_with("Cap")) {
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
        assert!(done.out.contains("NoNewPrivs:\t1") && done.out.contains("Seccomp:\t2"), "{}", done.out);
    }
}
