//! The chunks of a body (RFC 9112 §7.1): sizes, extensions that nobody needs, trailers that nobody asked for.

use bytes::{Buf, Bytes, BytesMut};

use super::Http1Error;

/// The longest line of a size with its extensions, and the most of all trailers.
const MAX_LINE: usize = 16 * 1024;

/// Where in the chunks the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before the line of a size.
    #[default]
    Size,
    /// In a chunk, this much before its end.
    Data(u64),
    /// Before the end of line after a chunk.
    AfterData,
    /// In the trailers, which may take this much more.
    Trailers(usize),
    End,
}

/// What a step gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes of the body.
    Data(Bytes),
    /// More must come.
    More,
    /// The body is complete.
    End,
}

/// Reads chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks(Place);

impl Chunks {
    pub(super) fn next(&mut self, unread: &mut BytesMut) -> Result<Step, Http1Error> {
        loop {
            self.0 = match self.0 {
                Place::End => return Ok(Step::End),
                Place::Data(left) if unread.is_empty() => {
                    self.0 = Place::Data(left);
                    return Ok(Step::More);
                }
                Place::Data(left) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(unread.len());
                    let data = unread.split_to(most).freeze();
                    let left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    self.0 = if left == 0 { Place::AfterData } else { Place::Data(left) };
                    return Ok(Step::Data(data));
                }
                Place::AfterData => match &unread[..] {
                    [b'\r', b'\n', ..] => {
                        unread.advance(2);
                        Place::Size
                    }
                    [] | [b'\r'] => return Ok(Step::More),
                    _ => return Err(Http1Error::NotHttp("a chunk is longer than its size")),
                },
                Place::Size => match line(unread, MAX_LINE)? {
                    None => return Ok(Step::More),
                    Some(line) => match size(&line)? {
                        0 => Place::Trailers(MAX_LINE),
                        size => Place::Data(size),
                    },
                },
                Place::Trailers(most) => match line(unread, most)? {
                    None => return Ok(Step::More),
                    Some(line) if line.is_empty() => Place::End,
                    // Room for the line that ends them is left in any case.
                    Some(line) => Place::Trailers(most.saturating_sub(line.len()).max(2)),
                },
            };
        }
    }
}

/// Takes a line without its end, CR LF: a LF alone is where readers differ.
fn line(unread: &mut BytesMut, most: usize) -> Result<Option<BytesMut>, Http1Error> {
    let Some(end) = memchr::memchr(b'\n', unread) else {
        return if unread.len() > most {
            Err(Http1Error::NotHttp("a line of its chunks is too long"))
        } else {
            Ok(None)
        };
    };
    if end > most {
        return Err(Http1Error::NotHttp("a line of its chunks is too long"));
    }
    let mut line = unread.split_to(end);
    unread.advance(1);
    if line.last() != Some(&b'\r') {
        return Err(Http1Error::NotHttp("a line of its chunks ends wrongly"));
    }
    line.truncate(line.len() - 1);
    Ok(Some(line))
}

/// The size in a line: hexadecimal digits, then nothing, or extensions after a `;`.
fn size(line: &[u8]) -> Result<u64, Http1Error> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Http1Error::NotHttp("the size of a chunk is no number"));
    }
    u64::from_str_radix(text, 16).map_err(|_| Http1Error::NotHttp("the size of a chunk is too large"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `text`, which comes in pieces of `at_once` bytes; the body, and whether it came to its end.
    fn read(text: &[u8], at_once: usize) -> Result<(Vec<u8>, bool, BytesMut), Http1Error> {
        let (mut chunks, mut unread, mut body) = (Chunks::default(), BytesMut::new(), Vec::new());
        let mut pieces = text.chunks(at_once);
        loop {
            match chunks.next(&mut unread)? {
                Step::Data(data) => body.extend_from_slice(&data),
                Step::End => {
                    pieces.for_each(|piece| unread.extend_from_slice(piece));
                    return Ok((body, true, unread));
                }
                Step::More => match pieces.next() {
                    Some(piece) => unread.extend_from_slice(piece),
                    None => return Ok((body, false, unread)),
                },
            }
        }
    }

    #[test]
    fn extensions_and_trailers_are_left_out() {
        let text = b"5;a=\"b;c\"\r\nhello\r\n06 \r\n world\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\nnext";
        for at_once in 1..text.len() {
            let (body, ended, rest) = read(text, at_once).unwrap();
            assert_eq!(
                (body.as_slice(), ended, &rest[..]),
                (b"hello world".as_slice(), true, b"next".as_slice())
            );
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = format!("5;{}\r\n", "x".repeat(MAX_LINE));
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "0x5\r\n",
            "5\nhello",
            "5\r\nhello!\r\n",
            "5\r\nhello\n",
            "11111111111111111\r\n",
            "5 5\r\n",
            &long,
        ] {
            assert!(read(text.as_bytes(), 3).is_err(), "{text:.20?}");
        }
    }

    #[test]
    fn half_a_body_never_ends() {
        let whole = b"3\r\nabc\r\n0\r\n\r\n";
        for end in 0..whole.len() {
            assert!(!read(whole.get(..end).unwrap(), 2).unwrap().1, "{end}");
        }
        assert!(read(whole, 2).unwrap().1);
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_however_it_is_chunked_and_cut(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..10),
            at_once in 1_usize..40,
        ) {
            let mut text = Vec::new();
            for piece in &pieces {
                text.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let (body, ended, rest) = read(&text, at_once).unwrap();
            prop_assert_eq!(body, pieces.concat());
            prop_assert!(ended && rest.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200), at_once in 1_usize..20) {
            let _ = read(&text, at_once);
        }
    }
}
