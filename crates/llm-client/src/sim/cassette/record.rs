//! Records exchanges as they pass.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{request, response};
use http_body::{Body, Frame, SizeHint};
use seawall_types::Clock;

use super::line::{CassetteError, Chunk, Content, Line, RecordedRequest, RecordedResponse};
use super::scrub;

/// An answer that is longer is passed on and not recorded.
const LIMIT: usize = 64 * 1024 * 1024;

/// Writes exchanges into a new file of a folder. Dropping it waits until what has been answered is written; what is still
/// being answered then is not recorded.
///
/// What is written has no credentials: those of headers and queries are left out, and what looks like one in a body is
/// overwritten. Only answers that came to their end are written.
#[derive(Debug)]
pub struct Recorder {
    messages: Sender<Message>,
    writer: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
}

impl Recorder {
    /// Makes the folder where it is missing, and a file in it that is named after the time. Blocks.
    ///
    /// # Errors
    /// When the folder or the file can't be made.
    pub fn new(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, CassetteError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |error| CassetteError::Io { path, error }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(format!("{}.jsonl", clock.now().as_micros()));
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(failed(&path))?;
        let (messages, received) = channel();
        let writer = std::thread::Builder::new()
            .name("cassette".to_owned())
            .spawn(move || write(file, &received))
            .map_err(failed(&path))?;
        Ok(Self { messages, writer: Some(writer), clock, path })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Passes an answer on and records it. `body` is the request's, `answer` is what the real provider sends.
    ///
    /// A compressed answer is not recorded, as credentials in it could not be found: ask the provider for none.
    pub fn record<B>(
        &self,
        request: &request::Parts,
        body: &[u8],
        response: &response::Parts,
        answer: B,
    ) -> Recording<B> {
        let is_plain = response.headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
        if !is_plain {
            tracing::warn!("a compressed answer is not recorded; send accept-encoding: identity");
        }
        let tape = is_plain.then(|| Tape {
            messages: self.messages.clone(),
            request: RecordedRequest::new(request, body),
            status: response.status.as_u16(),
            headers: scrub::headers(&response.headers),
            began: self.clock.monotonic(),
            clock: Arc::clone(&self.clock),
            chunks: Vec::new(),
            length: 0,
        });
        Recording { answer, tape }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Sending fails when the writer is gone already, and then joining says why.
        let _ = self.messages.send(Message::Stop);
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the cassette's writer failed; the cassette is not complete");
        }
    }
}

/// What the writer is told. It must be told to stop: answers that nobody finishes hold on to the channel.
#[derive(Debug)]
enum Message {
    Write(Box<Line>),
    Stop,
}

/// Writes lines until it is told to stop.
fn write(mut file: File, messages: &Receiver<Message>) {
    while let Ok(Message::Write(line)) = messages.recv() {
        let written = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            file.write_all(&text)
        });
        if let Err(error) = written {
            tracing::error!(%error, "an exchange is missing in the cassette");
        }
    }
}

/// An answer that is recorded as it is read. Dropped before its end it leaves no record.
#[derive(Debug)]
pub struct Recording<B> {
    answer: B,
    tape: Option<Tape>,
}

#[derive(Debug)]
struct Tape {
    messages: Sender<Message>,
    request: RecordedRequest,
    status: u16,
    headers: serde_json::Map<String, serde_json::Value>,
    clock: Arc<dyn Clock>,
    began: Duration,
    chunks: Vec<(u64, Bytes)>,
    length: usize,
}

impl Tape {
    /// False when the answer has become too long.
    fn add(&mut self, bytes: &Bytes) -> bool {
        let at = self.clock.monotonic().saturating_sub(self.began);
        self.length += bytes.len();
        self.chunks.push((u64::try_from(at.as_millis()).unwrap_or(u64::MAX), bytes.clone()));
        self.length <= LIMIT
    }

    fn finish(self) {
        let mut all: Vec<u8> = Vec::with_capacity(self.length);
        self.chunks.iter().for_each(|(_, bytes)| all.extend_from_slice(bytes));
        // As a whole, since a credential may have come in two chunks.
        scrub::mask(&mut all);
        let mut rest = all.as_slice();
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for (at_ms, bytes) in &self.chunks {
            let (chunk, after) = rest.split_at_checked(bytes.len()).unwrap_or((rest, &[]));
            chunks.push(Chunk { at_ms: *at_ms, content: Content::new(chunk) });
            rest = after;
        }
        let response = RecordedResponse { status: self.status, headers: self.headers, chunks };
        let line = Box::new(Line { request: self.request, response });
        if self.messages.send(Message::Write(line)).is_err() {
            tracing::warn!("an answer ended after its recorder and is not in the cassette");
        }
    }
}

impl<B> Body for Recording<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let recording = &mut *self;
        let polled = std::task::ready!(Pin::new(&mut recording.answer).poll_frame(context));
        match &polled {
            Some(Ok(frame)) => {
                let is_kept = match (frame.data_ref(), &mut recording.tape) {
                    (Some(bytes), Some(tape)) => tape.add(bytes),
                    _ => true,
                };
                if !is_kept {
                    recording.tape = None;
                }
            }
            Some(Err(_)) => recording.tape = None,
            None => {}
        }
        // A reader may stop at the last frame, since the body says that it is the last.
        if (polled.is_none() || recording.answer.is_end_stream())
            && let Some(tape) = recording.tape.take()
        {
            tape.finish();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
