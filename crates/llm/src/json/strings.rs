//! Where the long strings of a text end. That is found when the text is checked; who reads the text again passes over them
//! in one step instead of looking at each of their bytes.

/// From how many bytes on a string is noted, with its quotes. A shorter one is passed over as quickly, and what is kept of a
/// text takes an eighth of its length at most.
const LONG: usize = 128;

/// One string: from its first quote to behind its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Long {
    start: usize,
    end: usize,
}

/// What a scanner knows of the strings on its way, or learns.
pub(super) trait Strings {
    /// Where the string ends that begins at `start`, if that is known. Asked for places from the first to the last.
    fn end_of(&mut self, start: usize) -> Option<usize>;

    /// There is a string from `start` to `end`.
    fn passed(&mut self, start: usize, end: usize);
}

/// Notes them, of a text that nobody has read yet.
#[derive(Debug, Default)]
pub(super) struct Noting(pub(super) Vec<Long>);

impl Strings for Noting {
    fn end_of(&mut self, _start: usize) -> Option<usize> {
        None
    }

    fn passed(&mut self, start: usize, end: usize) {
        if end - start >= LONG {
            self.0.push(Long { start, end });
        }
    }
}

/// Knows those that were noted, from a place in the text on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a>(&'a [Long]);

impl<'a> Known<'a> {
    /// Knows `strings`; looks for those from `at` on.
    pub(super) fn from(strings: &'a [Long], at: usize) -> Self {
        let (_, ahead) = strings.split_at(strings.partition_point(|long| long.start < at));
        Self(ahead)
    }

    /// Those that are ahead.
    pub(super) const fn ahead(self) -> &'a [Long] {
        self.0
    }
}

impl Strings for Known<'_> {
    fn end_of(&mut self, start: usize) -> Option<usize> {
        while let Some((next, behind)) = self.0.split_first().filter(|(next, _)| next.start <= start) {
            self.0 = behind;
            if next.start == start {
                return Some(next.end);
            }
        }
        None
    }

    fn passed(&mut self, _start: usize, _end: usize) {}
}
