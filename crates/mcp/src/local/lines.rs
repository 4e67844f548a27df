//! Messages as they stand on the standard streams: one on each line.

use std::io;

use bytes::Bytes;
use seawall_base::memory::Share;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Cuts what comes into lines, of a bounded length.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    most: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most so many bytes.
    pub(crate) fn new(reader: R, most: usize) -> Self {
        Self { reader: BufReader::new(reader), most }
    }

    /// What was not read yet, as it is.
    pub(crate) fn into_rest(self) -> BufReader<R> {
        self.reader
    }

    /// The next line without its end; `None` when nothing more comes. What stands behind the last line end is no line. Its
    /// bytes are taken from `memory`, which may hold `buffer` in all.
    ///
    /// # Errors
    /// When it can't be read, is too long, or memory is short. Nothing can be read any more then.
    pub(crate) async fn next(&mut self, memory: &mut Share, buffer: usize) -> io::Result<Option<Bytes>> {
        let mut line = Vec::new();
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let (part, used, is_end) = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => (chunk.get(..end).unwrap_or_default(), end + 1, true),
                None => (chunk, chunk.len(), false),
            };
            if line.len() + part.len() > self.most {
                let message = format!("a line has more than {} bytes", self.most);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            if !memory.take(part.len(), buffer) {
                return Err(io::Error::new(io::ErrorKind::OutOfMemory, "all buffered bytes are in use"));
            }
            line.extend_from_slice(part);
            self.reader.consume(used);
            if is_end {
                line.truncate(line.trim_ascii_end().len());
                return Ok(Some(line.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_base::memory::ByteBudget;

    use super::*;

    async fn lines(text: &[u8], most: usize) -> Vec<Result<String, io::ErrorKind>> {
        let mut lines = Lines::new(text, most);
        let mut read = Vec::new();
        loop {
            let mut memory = ByteBudget::new().share();
            match lines.next(&mut memory, usize::MAX).await {
                Ok(Some(line)) => read.push(Ok(String::from_utf8_lossy(&line).into_owned())),
                Ok(None) => return read,
                Err(error) => {
                    read.push(Err(error.kind()));
                    return read;
                }
            }
        }
    }

    #[tokio::test]
    async fn a_message_is_a_line_that_has_ended() {
        let read = lines(b"{\"a\":1}\n\r\n  {\"b\":2}\r\n{\"half\"", 100).await;
        assert_eq!(read, [Ok("{\"a\":1}".to_owned()), Ok(String::new()), Ok("  {\"b\":2}".to_owned())]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_no_memory_without_one() {
        assert_eq!(lines(b"12345\n", 5).await, [Ok("12345".to_owned())]);
        assert_eq!(lines(b"123456\n", 5).await, [Err(io::ErrorKind::InvalidData)]);
        assert_eq!(lines(&[b'x'; 100_000], 5_000).await, [Err(io::ErrorKind::InvalidData)]);
    }

    #[tokio::test]
    async fn all_lines_together_are_bounded() {
        let budget = ByteBudget::new();
        let mut memory = budget.share();
        let error = Lines::new(b"123456\n".as_slice(), 100).next(&mut memory, 5).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
