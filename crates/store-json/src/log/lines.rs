//! The lines of a file, one after the other, and which one stands where.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

/// A part of a file, read from its beginning to its end.
#[derive(Debug)]
struct Section<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let count = match buffer.get_mut(..length) {
            Some(buffer) if length > 0 => self.file.read_at(buffer, self.at)?,
            _ => 0,
        };
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

/// Lines with their line feeds; the last one may have none.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    section: BufReader<Section<'a>>,
    /// Where the next line begins.
    at: u64,
    longest: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// From one place to another. What is longer than `longest` is cut into several lines.
    pub(crate) fn new(file: &'a File, from: u64, to: u64, longest: u64) -> Self {
        // A short read costs no more than it needs; a long one few system calls.
        let capacity = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).clamp(1, 1 << 16);
        let section = Section { file, at: from, end: to };
        Self { section: BufReader::with_capacity(capacity, section), at: from, longest, line: Vec::new() }
    }

    /// The next line and where it begins; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let at = self.at;
        let count = self.section.by_ref().take(self.longest).read_until(b'\n', &mut self.line)?;
        self.at = at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(if count == 0 { None } else { Some((at, &self.line)) })
    }
}

/// How many lines end before this place.
pub(crate) fn count(file: &File, before: u64) -> io::Result<usize> {
    let mut section = BufReader::with_capacity(1 << 16, Section { file, at: 0, end: before });
    let mut count = 0_usize;
    loop {
        let bytes = section.fill_buf()?;
        if bytes.is_empty() {
            return Ok(count);
        }
        count = count.saturating_add(memchr::memchr_iter(b'\n', bytes).count());
        let length = bytes.len();
        section.consume(length);
    }
}

/// The number that a line says it has, whatever is wrong with it.
pub(crate) fn event_number(file: &File, at: u64) -> Option<u64> {
    let mut beginning = [0; 256];
    let length = file.read_at(&mut beginning, at).ok()?;
    let line = beginning.get(..length)?.split(|byte| *byte == b'\n').next()?;
    let found = memchr::memmem::find(line, b"\"seq\":")?;
    let digits = line.get(found.checked_add(6)?..)?;
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()
}
