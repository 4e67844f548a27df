//! Hearing a model: what it says is told to clients piece by piece, a little at a time, and to the engine when it is whole.
//!
//! What is told comes in pieces of about a tenth of a second or 4 KiB. An answer that is there at once is not told in pieces
//! at all. Only the first thoughts and the first words of an answer are: what follows a call of a tool is told when it is whole.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Block, Part, StreamKind, Streamed};
use seawall_llm::dialogue::Heard;
use tokio::time::Instant;

use crate::session::Session;

/// How long the first piece waits, and each one after it.
const FIRST: Duration = Duration::from_millis(10);
const NEXT: Duration = Duration::from_millis(100);

/// How long a piece becomes at the most.
const LONGEST: usize = 4 * 1024;

/// What was heard of an answer and not told yet.
#[derive(Debug)]
pub(super) struct Telling {
    step: u64,
    attempt: u32,
    shows_thoughts: bool,
    /// Nothing is told in pieces.
    is_quiet: bool,
    stage: Stage,
    /// The thoughts so far.
    thoughts: String,
    /// What is to be told next.
    piece: String,
    /// When it is.
    due: Option<Instant>,
    has_told: bool,
}

/// How far the answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Nothing,
    Thoughts,
    Words,
    /// Nothing more is told in pieces.
    Over,
}

impl Telling {
    pub(super) fn new(step: u64, attempt: u32, shows_thoughts: bool, is_quiet: bool) -> Self {
        Self {
            step,
            attempt,
            shows_thoughts,
            is_quiet,
            stage: Stage::Nothing,
            thoughts: String::new(),
            piece: String::new(),
            due: None,
            has_told: false,
        }
    }

    /// When something is to be told, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes in what was heard. Whether it was any of the answer itself.
    pub(super) async fn hear(&mut self, session: &Session, heard: Heard) {
        if self.is_quiet {
            return;
        }
        match (heard, self.stage) {
            (Heard::Thought(words), Stage::Nothing | Stage::Thoughts) if self.shows_thoughts => {
                self.stage = Stage::Thoughts;
                self.thoughts.push_str(&words);
                self.add(session, &words).await;
            }
            (Heard::Text(words), Stage::Thoughts) => {
                self.end_thoughts(session).await;
                self.stage = Stage::Words;
                self.add(session, &words).await;
            }
            (Heard::Text(words), Stage::Nothing | Stage::Words) => {
                self.stage = Stage::Words;
                self.add(session, &words).await;
            }
            (Heard::ToolCall { .. }, _) => {
                self.tell(session).await;
                if self.stage == Stage::Thoughts {
                    self.end_thoughts(session).await;
                }
                self.stage = Stage::Over;
            }
            _ => {}
        }
    }

    async fn add(&mut self, session: &Session, words: &str) {
        self.piece.push_str(words);
        if self.piece.len() >= LONGEST {
            self.tell(session).await;
        } else if self.due.is_none() && !self.piece.is_empty() {
            self.due = Some(Instant::now() + if self.has_told { NEXT } else { FIRST });
        }
    }

    /// Tells what there is.
    pub(super) async fn tell(&mut self, session: &Session) {
        self.due = None;
        let stream = match self.stage {
            Stage::Thoughts => StreamKind::Think,
            Stage::Words => StreamKind::Text,
            Stage::Nothing | Stage::Over => return,
        };
        if self.piece.is_empty() {
            return;
        }
        self.has_told = true;
        let text = Arc::from(std::mem::take(&mut self.piece));
        self.report(session, Part::Delta { stream, text }).await;
    }

    /// The answer is whole: what was begun to be told in pieces is told so to its end. Clients that put pieces together have
    /// all of it then.
    pub(super) async fn finish(&mut self, session: &Session) {
        if self.has_told {
            self.tell(session).await;
        }
    }

    /// Thoughts that were told are whole before words are.
    async fn end_thoughts(&mut self, session: &Session) {
        self.tell(session).await;
        if self.has_told {
            let text = Arc::from(std::mem::take(&mut self.thoughts));
            self.report(session, Part::Whole(Block::Reasoning { text, meta: None })).await;
        }
    }

    async fn report(&self, session: &Session, part: Part) {
        session.report(Streamed { step: self.step, attempt: self.attempt, part }).await;
    }
}
