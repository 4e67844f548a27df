//! An HTTP/1.1 answer as it comes in, in pieces of any size.
//!
//! Only what servers send to a generator: a length or chunks, no upgrades, no answers that end with the connection.

use thiserror::Error;

const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 64 * 1024;

/// The answer can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ResponseError {
    #[error("the answer is not HTTP: {0}")]
    NotHttp(#[from] httparse::Error),
    #[error("a chunk has no valid size")]
    ChunkSize,
    #[error("the answer has neither a length nor chunks")]
    NoLength,
}

/// Where in an answer the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    /// So many bytes of the body are left, and then the answer ends.
    Sized(usize),
    ChunkSize,
    /// So many bytes of this chunk are left, with the line end behind it.
    Chunk(usize),
    Trailers,
    Done,
}

/// Reads one answer after the other.
#[derive(Debug)]
pub(super) struct Reader {
    stage: Stage,
    /// What waits for more bytes: a head, a line.
    held: Vec<u8>,
    status: u16,
    keeps_alive: bool,
}

/// The line ends behind the data of a chunk.
const LINE_END: usize = 2;

impl Reader {
    pub(super) fn new() -> Self {
        Self { stage: Stage::Head, held: Vec::new(), status: 0, keeps_alive: true }
    }

    /// The status of the answer whose head has been read.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Whether another request may follow on the connection.
    pub(super) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Takes bytes in, and gives the body's to `body`. `true` when the answer is whole.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        mut body: impl FnMut(&[u8]),
    ) -> Result<bool, ResponseError> {
        while !bytes.is_empty() && self.stage != Stage::Done {
            bytes = match self.stage {
                Stage::Head => self.head(bytes)?,
                Stage::Sized(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    body(data);
                    self.stage = sized(left - data.len());
                    rest
                }
                Stage::Chunk(left) => {
                    let (piece, rest) = bytes.split_at(left.min(bytes.len()));
                    let data = piece.len().min(left.saturating_sub(LINE_END));
                    body(piece.get(..data).unwrap_or_default());
                    let left = left - piece.len();
                    self.stage = if left == 0 { Stage::ChunkSize } else { Stage::Chunk(left) };
                    rest
                }
                Stage::ChunkSize => self.chunk_size(bytes)?,
                Stage::Trailers => self.trailers(bytes),
                Stage::Done => bytes,
            };
        }
        let whole = self.stage == Stage::Done;
        if whole {
            self.stage = Stage::Head;
        }
        Ok(whole)
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ResponseError> {
        // A head nearly always comes whole: then nothing is copied.
        let held = std::mem::take(&mut self.held);
        let joined = if held.is_empty() { None } else { Some([held.as_slice(), bytes].concat()) };
        let text = joined.as_deref().unwrap_or(bytes);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(text)? {
            httparse::Status::Complete(end) => {
                self.status = response.code.unwrap_or(0);
                self.stage = stage_of(&response)?;
                self.keeps_alive = !header(&response, "connection")
                    .is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
                Ok(bytes.get(end - held.len()..).unwrap_or_default())
            }
            httparse::Status::Partial if text.len() > MAX_HEAD => Err(httparse::Error::TooManyHeaders.into()),
            httparse::Status::Partial => {
                self.held = text.to_vec();
                Ok(&[])
            }
        }
    }

    fn chunk_size<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ResponseError> {
        let Some((line, rest)) = self.line(bytes) else { return Ok(&[]) };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = line.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
        let size =
            size.and_then(|digits| usize::from_str_radix(digits, 16).ok()).ok_or(ResponseError::ChunkSize)?;
        self.stage = if size == 0 { Stage::Trailers } else { Stage::Chunk(size.saturating_add(LINE_END)) };
        Ok(rest)
    }

    fn trailers<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((line, rest)) = self.line(bytes) else { return &[] };
        if line.is_empty() {
            self.stage = Stage::Done;
        }
        rest
    }

    /// The next line without its end, and what follows; `None` until it is whole.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.held.extend_from_slice(bytes);
            return None;
        };
        let (line, rest) = bytes.split_at(end + 1);
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(line.trim_ascii_end());
        Some((whole.trim_ascii_end().to_vec(), rest))
    }
}

fn sized(left: usize) -> Stage {
    if left == 0 { Stage::Done } else { Stage::Sized(left) }
}

fn stage_of(response: &httparse::Response<'_, '_>) -> Result<Stage, ResponseError> {
    let is_chunked = |value: &[u8]| value.eq_ignore_ascii_case(b"chunked");
    if header(response, "transfer-encoding").is_some_and(is_chunked) {
        return Ok(Stage::ChunkSize);
    }
    let length =
        header(response, "content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    length.map(sized).ok_or(ResponseError::NoLength)
}

fn header<'a>(response: &httparse::Response<'_, 'a>, name: &str) -> Option<&'a [u8]> {
    response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\nconnection: close\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nt: u\r\n\r\n";

    fn read(reader: &mut Reader, pieces: &[&[u8]]) -> (bool, Vec<u8>) {
        let (mut whole, mut body) = (false, Vec::new());
        for piece in pieces {
            assert!(!whole, "nothing is left after the end");
            whole = reader.read(piece, |data| body.extend_from_slice(data)).unwrap();
        }
        (whole, body)
    }

    proptest! {
        #[test]
        fn an_answer_is_the_same_however_it_is_cut(chunked: bool, cuts in proptest::collection::vec(1_usize..20, 0..12)) {
            let mut rest = if chunked { CHUNKED } else { SIZED };
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len().saturating_sub(1)));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let mut reader = Reader::new();
            prop_assert_eq!(read(&mut reader, &pieces), (true, b"hello".to_vec()));
            prop_assert_eq!(reader.status(), if chunked { 429 } else { 200 });
            prop_assert_eq!(reader.keeps_alive(), !chunked);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _either_way = Reader::new().read(&bytes, |_| {});
            let _either_way = Reader::new().read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", bytes.as_slice()].concat(), |_| {});
        }
    }

    #[test]
    fn one_reader_reads_one_answer_after_the_other() {
        let mut reader = Reader::new();
        for answer in [SIZED, CHUNKED, SIZED] {
            assert_eq!(read(&mut reader, &[answer]), (true, b"hello".to_vec()));
        }
    }

    #[test]
    fn an_answer_without_an_end_is_refused() {
        let read = Reader::new().read(b"HTTP/1.1 200 OK\r\n\r\n", |_| {});
        assert_eq!(read, Err(ResponseError::NoLength));
    }
}
