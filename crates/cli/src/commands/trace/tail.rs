//! `seawall trace tail`: the events of a run as they come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;
use seawall_trace::read;

use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::Outcome;
use crate::output;

/// How often the file is looked at for more.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

pub(crate) fn run(world: &World<'_>, wanted: &str, lines: usize, follow: bool) -> Outcome {
    let archive = Archive::open(world)?;
    let found = archive.find(wanted)?;
    let path = found.dir.join("trace.jsonl");
    // Opened before anything is read: every line is then either read here or still to come from this very file.
    let mut current = Following::open(&path);
    let mut last = Last { lines: VecDeque::new(), most: lines };
    for line in read::run_lines_before(&found.dir, current.as_ref().and_then(Following::identity))? {
        last.push(line?.raw);
    }
    if let Some(current) = &mut current {
        current.whole_lines(|line| {
            last.push(line.to_vec());
            Ok(())
        })?;
    }
    last.lines.iter().try_for_each(|line| print(line))?;
    if follow {
        go_on(&path, current)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(line: &[u8]) -> io::Result<()> {
    output::bytes(&[line, b"\n"].concat())
}

/// The last lines, as many as are wanted.
struct Last {
    lines: VecDeque<Vec<u8>>,
    most: usize,
}

impl Last {
    fn push(&mut self, line: Vec<u8>) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        if self.most > 0 {
            self.lines.push_back(line);
        }
    }
}

/// A file that grows, read as far as it has.
struct Following {
    reader: BufReader<File>,
    /// The beginning of a line whose end has not been written.
    partial: Vec<u8>,
}

impl Following {
    /// `None`: there is none yet.
    fn open(path: &Path) -> Option<Self> {
        Some(Self { reader: BufReader::new(File::open(path).ok()?), partial: Vec::new() })
    }

    /// What stays the same when the file is given another name.
    fn identity(&self) -> Option<u64> {
        self.reader.get_ref().metadata().ok().map(|data| data.ino())
    }

    /// Gives the lines that have become whole since it was last asked.
    fn whole_lines(&mut self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        while self.reader.read_until(b'\n', &mut self.partial)? > 0 && self.partial.ends_with(b"\n") {
            take(self.partial.trim_ascii_end())?;
            self.partial.clear();
        }
        Ok(())
    }
}

/// Prints whole lines as they appear, over rotations of the file, until it is interrupted or nobody reads them.
fn go_on(path: &Path, mut current: Option<Following>) -> io::Result<()> {
    loop {
        // Looked at before the lines are read: nothing more is written to a file that another has replaced.
        let there = std::fs::metadata(path).ok().map(|data| data.ino());
        if let Some(current) = &mut current {
            current.whole_lines(print)?;
        }
        if there.is_some() && there != current.as_ref().and_then(Following::identity) {
            current = Following::open(path);
        } else {
            wait()?;
        }
    }
}

/// Waits until it is time to look again.
///
/// # Errors
/// Nobody reads what is printed any more: only who writes to them would hear of it else, and there may be nothing to write.
fn wait() -> io::Result<()> {
    let stdout = io::stdout();
    // Asked for nothing, it says what is always said: that the other end is closed.
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut ends, Some(&LOOK)) {
        Ok(0) | Err(Errno::INTR) => Ok(()),
        Ok(_) => Err(output::reader_gone()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn taken(following: &mut Following) -> Vec<String> {
        let mut lines = Vec::new();
        let take = |line: &[u8]| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        };
        following.whole_lines(take).unwrap();
        lines
    }

    #[test]
    fn a_line_is_given_once_it_is_whole_also_when_the_file_has_got_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nth").unwrap();
        let mut following = Following::open(&path).unwrap();
        assert_eq!(taken(&mut following), ["one", "two"]);
        assert_eq!(taken(&mut following), [""; 0]);
        std::fs::rename(&path, folder.path().join("trace.000001.jsonl")).unwrap();
        file.write_all(b"ree\nfour\n").unwrap();
        assert_eq!(taken(&mut following), ["three", "four"]);
        assert!(Following::open(&path).is_none());
    }
}
