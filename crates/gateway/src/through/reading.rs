//! Reads on the side what an answer that is passed through tells of its usage. It changes nothing and holds nothing up.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use seawall_llm::answer::{Answer, read_json_answer, transcribe_json_answer};
use seawall_llm::sse::Splitter;
use seawall_llm::stream::StreamReader;
use seawall_llm::wire::Wire;

use crate::inflate::{Encoding, StreamInflater};

/// How much of an answer is kept to read its usage from, as it comes and inflated.
const MAX_COPY: usize = 8 * 1024 * 1024;
const MAX_INFLATED: usize = 64 * 1024 * 1024;
/// The longest event that is read.
const MAX_EVENT: usize = 1024 * 1024;

/// What reads.
#[derive(Debug)]
pub(super) enum Reading {
    /// There is nothing to be read in it, or no more.
    Nothing,
    /// One document: a copy of it, as it came.
    Whole(BytesMut, Option<Encoding>),
    /// A stream of events.
    Events(Box<Events>),
}

/// The events read so far.
#[derive(Debug)]
pub(super) struct Events {
    inflater: Option<StreamInflater>,
    splitter: Splitter,
    reader: StreamReader,
}

impl Reading {
    /// For an answer with these headers. Anything may be a document for a wire format that tells its usage; where none
    /// claims the path, JSON is. With `keeps_words` a stream's are taken down.
    pub(super) fn of(headers: &HeaderMap, wire: Wire, keeps_words: bool) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let encoding = match text(CONTENT_ENCODING) {
            "" => None,
            name if name.eq_ignore_ascii_case("identity") => None,
            name => match Encoding::named(name) {
                Some(encoding) => Some(encoding),
                None => return Self::Nothing,
            },
        };
        let kind = text(CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => {
                Events::new(encoding, wire, keeps_words).map_or(Self::Nothing, Self::Events)
            }
            kind if wire.is_metered() || kind == "application/json" => Self::Whole(BytesMut::new(), encoding),
            _ => Self::Nothing,
        }
    }

    /// Takes in a piece. What becomes too much to keep is not read.
    pub(super) fn take(&mut self, chunk: &Bytes) {
        let is_read = match self {
            Self::Nothing => true,
            Self::Whole(copy, _) if copy.len() + chunk.len() <= MAX_COPY => {
                copy.extend_from_slice(chunk);
                true
            }
            Self::Whole(..) => false,
            Self::Events(events) => events.take(chunk).is_some(),
        };
        if !is_read {
            *self = Self::Nothing;
        }
    }

    /// What it says, as far as it has come.
    pub(super) fn answer(&self, wire: Wire, keeps_words: bool) -> Answer {
        let read = if keeps_words { transcribe_json_answer } else { read_json_answer };
        let read = |text: &[u8]| read(wire, text).unwrap_or_default();
        match self {
            Self::Nothing => Answer::default(),
            Self::Whole(copy, None) => read(copy),
            Self::Whole(copy, Some(encoding)) => {
                encoding.inflate(copy, MAX_INFLATED).map_or_else(|_| Answer::default(), |text| read(&text))
            }
            Self::Events(events) => events.reader.answer().clone(),
        }
    }
}

impl Events {
    fn new(encoding: Option<Encoding>, wire: Wire, keeps_words: bool) -> Option<Box<Self>> {
        let inflater = encoding.map(StreamInflater::new).transpose().ok()?;
        let (splitter, reader) = (Splitter::new(MAX_EVENT), StreamReader::new(wire, false));
        let reader = if keeps_words { reader.taking_down() } else { reader };
        Some(Box::new(Self { inflater, splitter, reader }))
    }

    fn take(&mut self, chunk: &Bytes) -> Option<()> {
        let text = match &mut self.inflater {
            Some(inflater) => inflater.push(chunk).ok()?,
            None => chunk.clone(),
        };
        self.splitter.push(text);
        while let Some(event) = self.splitter.next_event().ok()? {
            self.reader.event(&event);
        }
        Some(())
    }
}
