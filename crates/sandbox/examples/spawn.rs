//! What a sandbox adds to the start of a process: `/bin/true` spawned plainly and in sandboxes, one after the other, in
//! turns. Prints the medians.
//!
//! `cargo run --release -p seawall-sandbox --example spawn`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use seawall_sandbox::{Command, Confinement, Layer, Sandbox, Stream};

const TURNS: usize = 200;

fn main() -> ExitCode {
    if let Some(code) = seawall_sandbox::launch_if_asked(std::env::args_os()) {
        return code;
    }
    let variants = variants();
    let mut plain = Vec::new();
    let mut confined = vec![Vec::new(); variants.len()];
    for _ in 0..TURNS {
        plain.push(timed(plainly));
        for ((_, confinement), times) in variants.iter().zip(&mut confined) {
            times.push(timed(|| in_sandbox(confinement.clone())));
        }
    }
    let base = median(&mut plain);
    println!("{:<40} {:>8.2} ms", "plain", base);
    for ((name, _), times) in variants.iter().zip(&mut confined) {
        let median = median(times);
        println!("{name:<40} {median:>8.2} ms  {:>+7.2} ms", median - base);
    }
    ExitCode::SUCCESS
}

fn variants() -> Vec<(&'static str, Confinement)> {
    let usual = Confinement::of(Path::new("/var/tmp"));
    let mut bounded = usual.clone();
    bounded.limits.memory_bytes = Some(1 << 30);
    bounded.limits.processes = Some(64);
    let without = |layers: &[Layer]| Confinement { without: layers.to_vec(), ..usual.clone() };
    vec![
        ("landlock, seccomp, namespaces", usual.clone()),
        ("the same with memory and pids", bounded),
        ("without namespaces", without(&[Layer::Namespaces])),
        ("a network namespace for seccomp", without(&[Layer::Seccomp])),
    ]
}

fn plainly() {
    let ended = std::process::Command::new("/bin/true").env_clear().status();
    assert!(ended.is_ok_and(|status| status.success()), "true failed");
}

fn in_sandbox(confinement: Confinement) {
    let command = Command::new("/bin/true").stdin(Stream::Null).stdout(Stream::Null).stderr(Stream::Null);
    let ended = Sandbox::of_this_program().spawn(confinement, command).map(seawall_sandbox::Child::wait);
    assert!(ended.is_ok_and(|report| report.is_ok_and(|report| report.survivors == 0)), "true failed");
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

/// In milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3
}
