//! Finding a line of a file in which the lines' numbers rise, by halves: so no file needs an index beside it, and a long
//! one costs a few reads more than a short one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::log::{Broken, Lines};

/// What lines are in order of.
pub(crate) type Key = u64;

/// Where the last line begins of which the number is at most `goal`; 0 where there is none.
pub(crate) fn floor(
    file: &File,
    length: u64,
    longest: u64,
    goal: Key,
    key: impl Fn(&[u8], u64) -> Result<Key, String>,
) -> Result<u64, Broken> {
    // Lines before `low` have lower numbers or the goal's, the line at `high` has a higher one.
    let (mut floor, mut low, mut high) = (0, 0, length);
    while low < high {
        let at = middle(file, low, high)?;
        let mut lines = Lines::new(file, at, length.min(at.saturating_add(longest)), longest);
        let Some((_, line)) = lines.next()? else { break };
        if key(line, at).map_err(|why| Broken::Line { group: at, at, why })? <= goal {
            floor = at;
            low = at.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        } else {
            high = at;
        }
    }
    Ok(floor)
}

/// Where a line begins that is as near to the middle as can be, from `low` on and before `high`.
fn middle(file: &File, low: u64, high: u64) -> io::Result<u64> {
    let mut top = high;
    loop {
        let middle = low.saturating_add(top.saturating_sub(low) / 2);
        if middle <= low {
            return Ok(low);
        }
        match after_line_feed(file, middle.saturating_sub(1), high)? {
            Some(start) if start < high => return Ok(start),
            _ => top = middle,
        }
    }
}

/// Where the next line begins after the first line feed from `at` on.
fn after_line_feed(file: &File, mut at: u64, end: u64) -> io::Result<Option<u64>> {
    let mut block = [0; 4096];
    while at < end {
        let count = file.read_at(&mut block, at)?;
        let Some(bytes) = block.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        if let Some(found) = memchr::memchr(b'\n', bytes) {
            return Ok(Some(at.saturating_add(u64::try_from(found).unwrap_or(u64::MAX)).saturating_add(1)));
        }
        at = at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn number(line: &[u8], _at: u64) -> Result<Key, String> {
        let digits = line.split(|byte| *byte == b' ').next().unwrap();
        std::str::from_utf8(digits).unwrap().parse().map_err(|error| format!("{error}"))
    }

    proptest! {
        #[test]
        fn the_last_line_up_to_a_number_is_found(
            lines in prop::collection::vec((0_u64..4, 0_usize..9_000), 0..40),
            goal in 0_u64..100,
        ) {
            let mut file = tempfile::tempfile().unwrap();
            let (mut key, mut at, mut expected) = (0, 0, 0);
            for (more, length) in lines {
                key += more;
                let line = format!("{key} {}\n", "x".repeat(length));
                file.write_all(line.as_bytes()).unwrap();
                if key <= goal {
                    expected = at;
                }
                at += line.len() as u64;
            }
            prop_assert_eq!(floor(&file, at, 1 << 20, goal, number).unwrap(), expected);
        }
    }
}
