//! The family of a process: all that descend from it. Because it adopts orphans (PR_SET_CHILD_SUBREAPER), nobody leaves
//! the family by forking twice or by a session of his own, and "no children" means that nobody is left.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::time::Timespec;

/// How often the family is looked for anew before those left are counted as survivors: half a second altogether. One
/// process in an uninterruptible wait in the kernel is enough to get there.
const ROUNDS: u32 = 250;
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
/// How long one process is waited for that was told to end.
const LONGEST_END: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Adopts all orphans from now on.
pub(crate) fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Ends all descendants of this process, and counts those that could not be ended.
pub(crate) fn end() -> u64 {
    for _ in 0..ROUNDS {
        if reap() == Left::Nobody {
            return 0;
        }
        let found = living_descendants();
        // Stopped first: a process that forks faster than it is killed is not there to fork when its turn comes.
        signal(&found, Signal::STOP);
        let found = living_descendants();
        signal(&found, Signal::KILL);
        let _time_passed = poll(&mut [], Some(&PAUSE));
    }
    if reap() == Left::Nobody { 0 } else { u64::try_from(living_descendants().len()).unwrap_or(u64::MAX) }
}

/// Waits until the process that this descriptor is of has ended, as long as the end of a family may take. Somebody who is
/// about to end is not there to be looked for among all processes.
pub(crate) fn wait_for_end(process: &OwnedFd) {
    let _not_in_time = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&LONGEST_END));
}

#[derive(PartialEq, Eq)]
enum Left {
    Somebody,
    Nobody,
}

/// Takes the dead away.
fn reap() -> Left {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Left::Somebody,
            // ECHILD: no child, and so, as orphans come to us, no descendant.
            Err(_) => return Left::Nobody,
        }
    }
}

fn signal(processes: &[Pid], signal: Signal) {
    for &process in processes {
        let _gone_already = kill_process(process, signal);
    }
}

/// Descendants of this process, zombies left out.
fn living_descendants() -> Vec<Pid> {
    let table = processes();
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let descends = |mut process: i32| {
        // A table that was read while processes ended can hold a circle; no line of descent is longer than the table.
        for _ in 0..table.len() {
            match table.get(&process) {
                Some(entry) if entry.stat.parent == own => return true,
                Some(entry) => process = entry.stat.parent,
                None => return false,
            }
        }
        false
    };
    let living = table.iter().filter(|(_, entry)| entry.stat.is_alive).map(|(&process, _)| process);
    living.filter(|&process| descends(process)).filter_map(Pid::from_raw).collect()
}

/// How many threads this user's processes have now.
pub(crate) fn threads_of_user(user: u32) -> u64 {
    processes().values().filter(|entry| entry.user == user).map(|entry| entry.stat.threads).sum()
}

struct Entry {
    user: u32,
    stat: Stat,
}

struct Stat {
    parent: i32,
    is_alive: bool,
    threads: u64,
}

fn processes() -> HashMap<i32, Entry> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let process = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        let text = std::fs::read(entry.path().join("stat")).ok()?;
        let stat = parse_stat(&String::from_utf8_lossy(&text))?;
        Some((number, Entry { user: entry.metadata().ok()?.uid(), stat }))
    };
    folder.filter_map(process).collect()
}

/// `pid (name) state parent …`, the number of threads is the twentieth (proc_pid_stat(5)); the name may hold anything,
/// brackets too.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let is_alive = !matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    Some(Stat { parent, is_alive, threads: fields.nth(15)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields from the process group to the number of threads.
    const AFTER: &str = " 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 99";

    #[test]
    fn the_parent_is_found_whatever_the_name_is() {
        for name in ["sh", "a b", ") S 1 (", "ümlaut", ""] {
            let entry = parse_stat(&format!("7 ({name}) S 42{AFTER}")).unwrap();
            assert_eq!((entry.parent, entry.is_alive, entry.threads), (42, true, 3), "{name:?}");
        }
        assert!(!parse_stat(&format!("7 (sh) Z 42{AFTER}")).unwrap().is_alive);
        assert!(parse_stat("").is_none() && parse_stat("7 (sh)").is_none());
    }
}
