//! What a process and its children have used: processor time and memory, from `/proc`.
//!
//! Processes that have ended in between are not counted: the servers that are measured here keep theirs.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Some processes with all their children.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    roots: Vec<u32>,
}

/// What a tree has used, or uses now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since the processes began, user and system, to a hundredth of a second.
    pub processor: Duration,
    /// Resident memory in KiB. What processes share is counted once for each.
    pub resident_kib: u64,
}

impl Tree {
    /// The tree under these processes.
    #[must_use]
    pub fn new(roots: Vec<u32>) -> Self {
        Self { roots }
    }

    /// What it has used so far; nothing for processes that are gone.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut total = Usage::default();
        for one in self.members() {
            total.processor += one.processor;
            total.resident_kib += one.resident_kib;
        }
        total
    }

    fn members(&self) -> Vec<Usage> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut usages = HashMap::new();
        if self.roots.is_empty() {
            return Vec::new();
        }
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            let Some((parent, usage)) = read(pid) else { continue };
            children.entry(parent).or_default().push(pid);
            usages.insert(pid, usage);
        }
        let mut waiting = self.roots.clone();
        let mut members = Vec::new();
        while let Some(pid) = waiting.pop() {
            members.extend(usages.remove(&pid));
            waiting.extend(children.remove(&pid).unwrap_or_default());
        }
        members
    }
}

fn read(pid: u32) -> Option<(u32, Usage)> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parent and usage in a line of `/proc/PID/stat`. The name in parentheses may hold anything, parentheses too.
fn parse(stat: &str) -> Option<(u32, Usage)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // Fields are numbered from one in proc(5) and the first two are cut off above: 4 is the parent, 14 and 15 are ticks in
    // user and system mode, 24 is pages in memory.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let page_kib = u64::try_from(rustix::param::page_size()).ok()? / 1024;
    let processor = Duration::from_micros(ticks * (1_000_000 / per_second));
    let usage = Usage { processor, resident_kib: field(24)? * page_kib };
    Some((u32::try_from(field(4)?).ok()?, usage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "12 (a) (b c) S 7 12 12 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 3 0 99 1000 2048 18446744073709551615";
        let (parent, usage) = parse(stat).unwrap();
        assert_eq!(parent, 7);
        assert_eq!(usage.processor, Duration::from_secs(4));
        assert_eq!(usage.resident_kib, 2048 * u64::try_from(rustix::param::page_size()).unwrap() / 1024);
    }

    #[test]
    fn this_process_uses_memory_and_no_process_uses_none() {
        assert!(Tree::new(vec![std::process::id()]).usage().resident_kib > 0);
        assert_eq!(Tree::default().usage(), Usage::default());
    }
}
