//! `seawall trace tail`: the events of a run as they come.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use seawall_trace::read;

use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::Outcome;
use crate::output;

/// How often the file is looked at for more.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) fn run(world: &World<'_>, wanted: &str, lines: usize, follow: bool) -> Outcome {
    let archive = Archive::open(world)?;
    let found = archive.find(wanted)?;
    let current = found.dir.join("trace.jsonl");
    let mut last = VecDeque::with_capacity(lines.min(10_000));
    let mut end = 0;
    for line in read::run_lines(&found.dir)? {
        let line = line?;
        if last.len() == lines {
            last.pop_front();
        }
        if lines > 0 {
            last.push_back(line.raw);
        }
    }
    // What was written since is printed by following, from the end of the last whole line.
    if let Ok(file) = std::fs::read(&current) {
        end = file.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at as u64 + 1);
    }
    for line in last {
        output::line(String::from_utf8_lossy(&line));
    }
    if follow { go_on(&current, end) } else { Ok(ExitCode::SUCCESS) }
}

/// Prints whole lines as they appear, over rotations of the file, until it is interrupted.
fn go_on(path: &Path, mut from: u64) -> Outcome {
    loop {
        let length = std::fs::metadata(path).map_or(0, |data| data.len());
        if length < from {
            from = 0; // Another file took its place.
        }
        if length > from {
            from = print_whole_lines(path, from)?;
        }
        std::thread::sleep(LOOK);
    }
}

fn print_whole_lines(path: &Path, from: u64) -> std::io::Result<u64> {
    let mut file = BufReader::new(std::fs::File::open(path)?);
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        at += line.len() as u64;
        output::line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(at)
}
