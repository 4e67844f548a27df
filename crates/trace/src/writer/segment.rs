//! The file that is written now, and how much of it can be relied upon.

use std::io;

use super::sink::Sink;

/// A file whose good part ends at a known place, whatever the disk did to the last write.
#[derive(Debug)]
pub(super) struct Segment {
    sink: Box<dyn Sink>,
    /// Bytes that were written completely.
    len: u64,
    /// Of those, bytes that were forced to the disk.
    synced: u64,
    /// Part of a failed write may stand behind `len`.
    torn: bool,
}

impl Segment {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, len: 0, synced: 0, torn: false }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends all of it or, after an error, nothing.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.mend()?;
        if let Err(error) = write_all(&mut *self.sink, bytes) {
            self.torn = true;
            // When this fails too, it is tried again before the next write; the first error tells more.
            let _ = self.mend();
            return Err(error);
        }
        self.len += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.sink.truncate(self.len)?;
            self.torn = false;
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.sink.sync()?;
        self.synced = self.len;
        Ok(())
    }

    /// After a failed [`Segment::sync`]: takes what was not forced to the disk out of the file, to be written anew.
    ///
    /// The kernel may have marked those pages clean when it failed to write them, so that a second sync would claim a
    /// success that there was not. Only writing them again makes a promise again.
    pub(super) fn take_back(&mut self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len - self.synced).map_err(io::Error::other)?;
        let bytes = self.sink.read_back(self.synced, len)?;
        self.sink.truncate(self.synced)?;
        self.len = self.synced;
        self.torn = false;
        Ok(bytes)
    }

    /// Puts the file away as that segment, and goes on with an empty one.
    pub(super) fn roll(&mut self, segment: u32) -> io::Result<()> {
        self.sink.roll(segment)?;
        (self.len, self.synced) = (0, 0);
        Ok(())
    }
}

fn write_all(sink: &mut dyn Sink, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
