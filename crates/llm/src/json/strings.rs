//! Where the long strings of a text end. That is found when the text is checked; who reads the text again passes over them
//! in one step instead of looking at each of their bytes.

/// From how many bytes on a string is noted, with its quotes. A shorter one is passed over as quickly, and what is noted of
/// a text takes an eighth of its length at most.
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
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    all: &'a [Long],
    ahead: &'a [Long],
}

impl<'a> Known<'a> {
    pub(super) fn from(all: &'a [Long], at: usize) -> Self {
        let (_, ahead) = all.split_at(all.partition_point(|long| long.start < at));
        Self { all, ahead }
    }

    /// Those of the whole text.
    pub(super) const fn all(&self) -> &'a [Long] {
        self.all
    }
}

impl Strings for Known<'_> {
    fn end_of(&mut self, start: usize) -> Option<usize> {
        while let Some((next, behind)) = self.ahead.split_first().filter(|(next, _)| next.start <= start) {
            self.ahead = behind;
            if next.start == start {
                return Some(next.end);
            }
        }
        None
    }

    fn passed(&mut self, _start: usize, _end: usize) {}
}
