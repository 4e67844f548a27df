//! Undoing content encodings, bounded: a small body must not become a large one.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

/// How much is inflated at once where only the size is wanted.
const STEP: usize = 64 * 1024;

/// A content encoding that we can undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
    Zstd,
}

/// Why a body can't be inflated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InflateError {
    #[error("it inflates to more than {0} bytes")]
    TooLarge(usize),
    #[error("it is not valid: {0}")]
    Invalid(io::Error),
}

impl Encoding {
    /// The encoding of this name. `None`: not one that we know.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// How large the body is when it is inflated, if that is no more than `limit` bytes. Nothing of it is kept, so that
    /// finding out that it is too much takes no memory.
    pub(crate) fn measure(self, body: &[u8], limit: usize) -> Result<usize, InflateError> {
        let mut source = self.reader(body).map_err(InflateError::Invalid)?;
        let mut step = vec![0; STEP];
        let mut size = 0;
        loop {
            match source.read(&mut step).map_err(InflateError::Invalid)? {
                0 => return Ok(size),
                read if size + read > limit => return Err(InflateError::TooLarge(limit)),
                read => size += read,
            }
        }
    }

    /// The whole body, inflated into memory of just the size that was measured.
    pub(crate) fn inflate_measured(self, body: &[u8], size: usize) -> Result<Bytes, InflateError> {
        let mut inflated = vec![0; size];
        let mut source = self.reader(body).map_err(InflateError::Invalid)?;
        source.read_exact(&mut inflated).map_err(InflateError::Invalid)?;
        Ok(inflated.into())
    }

    /// The whole body, inflated to at most `limit` bytes.
    pub(crate) fn inflate(self, body: &[u8], limit: usize) -> Result<Bytes, InflateError> {
        let size = self.measure(body, limit)?;
        self.inflate_measured(body, size)
    }

    fn reader(self, body: &[u8]) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(body)),
            Self::Deflate => Box::new(ZlibDecoder::new(body)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(body)?),
        })
    }
}

/// Undoes gzip or deflate while a stream is under way.
pub(crate) struct StreamInflater {
    decoder: StreamDecoder,
    ended: bool,
}

enum StreamDecoder {
    Flate(flate2::write::MultiGzDecoder<Vec<u8>>),
    Zlib(flate2::write::ZlibDecoder<Vec<u8>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
}

impl StreamInflater {
    pub(crate) fn new(encoding: Encoding) -> io::Result<Self> {
        let decoder = match encoding {
            Encoding::Gzip => StreamDecoder::Flate(flate2::write::MultiGzDecoder::new(Vec::new())),
            Encoding::Deflate => StreamDecoder::Zlib(flate2::write::ZlibDecoder::new(Vec::new())),
            Encoding::Zstd => StreamDecoder::Zstd(zstd::stream::write::Decoder::new(Vec::new())?),
        };
        Ok(Self { decoder, ended: false })
    }

    /// What these bytes inflate to, as far as they tell. A chunk is at most a network buffer, so what it inflates to is
    /// bounded by that times the encoding's best ratio (about a thousand), not by the whole stream.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> io::Result<Bytes> {
        use std::io::Write;
        match &mut self.decoder {
            StreamDecoder::Flate(decoder) => {
                decoder.write_all(chunk)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
            StreamDecoder::Zlib(decoder) => {
                decoder.write_all(chunk)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
            StreamDecoder::Zstd(decoder) => {
                decoder.write_all(chunk)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
        }
    }

    /// The stream ended; what was still held back.
    pub(crate) fn finish(&mut self) -> io::Result<Bytes> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(Bytes::new());
        }
        match &mut self.decoder {
            StreamDecoder::Flate(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
            StreamDecoder::Zlib(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
            StreamDecoder::Zstd(decoder) => Ok(std::mem::take(decoder.get_mut()).into()),
        }
    }
}

impl std::fmt::Debug for StreamInflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamInflater")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = gzip(&vec![0; 50 * 1024 * 1024]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(Encoding::Gzip.inflate(&bomb, 1024 * 1024), Err(InflateError::TooLarge(_))));
    }

    #[test]
    fn every_encoding_is_undone() {
        let text = b"{\"model\":\"x\"}".repeat(100);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&text).unwrap();
        for (encoding, body) in [
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Deflate, zlib.finish().unwrap()),
            (Encoding::Zstd, zstd::encode_all(&text[..], 3).unwrap()),
        ] {
            assert_eq!(encoding.inflate(&body, 1 << 20).unwrap(), text, "{encoding:?}");
            assert!(matches!(encoding.inflate(b"no such thing", 1 << 20), Err(InflateError::Invalid(_))));
            let mut stream = StreamInflater::new(encoding).unwrap();
            let mut inflated = Vec::new();
            for piece in body.chunks(7) {
                inflated.extend_from_slice(&stream.push(piece).unwrap());
            }
            inflated.extend_from_slice(&stream.finish().unwrap());
            assert_eq!(inflated, text, "{encoding:?} in pieces");
        }
    }

    #[test]
    fn a_body_cut_short_is_not_taken_for_a_whole_one() {
        let body = gzip(b"hello, hello, hello");
        assert!(matches!(
            Encoding::Gzip.inflate(&body[..body.len() - 4], 1000),
            Err(InflateError::Invalid(_))
        ));
    }
}
