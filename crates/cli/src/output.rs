//! What goes to stdout: the one place that prints. Logs and banners go to stderr.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use anyhow::Context;
use serde::Serialize;

/// Why a line could not be written. What comes after it would have no meaning without it, so the first is the one to tell.
static REFUSED: OnceLock<io::Error> = OnceLock::new();

/// Prints one line. A reader that went away (`| head`) is no error; of any other [`complete`] tells.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_ref().as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _told_already = REFUSED.set(error);
    }
}

/// Whether all lines were written.
///
/// # Errors
/// One was not, and not because nobody reads any more: the command did its work, and its answer is not all there.
pub(crate) fn complete() -> anyhow::Result<()> {
    let refused = REFUSED.get().map(|error| io::Error::new(error.kind(), error.to_string()));
    refused.map_or(Ok(()), Err).context("it was done, but the answer can't be written")
}

/// Prints bytes as they are.
///
/// # Errors
/// As those of [`Stdout`].
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    Stdout.write_all(bytes).and_then(|()| Stdout.flush())
}

/// For what goes out piece by piece. Its errors are to end the command, also that nobody reads any more: how much is still to
/// come is not known. That this one is none is told by [`was_ended`].
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().lock().write(bytes).map_err(noted)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush().map_err(noted)
    }
}

fn noted(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => reader_gone(),
        // Tried again by whoever writes.
        ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, format!("stdout can't be written: {error}")),
    }
}

/// Nobody reads any more what a command prints.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the answer any more")]
struct ReaderGone;

/// What ends a command whose reader has gone away.
pub(crate) fn reader_gone() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, ReaderGone)
}

/// Whether a command failed because nobody reads any more, which is no failure.
pub(crate) fn was_ended(error: &anyhow::Error) -> bool {
    let is_it = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<ReaderGone>());
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_it))
}

/// Prints one JSON document.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => tracing::error!(%error, "the answer can't be written as JSON"),
    }
}

/// Says something to the person at the terminal, beside what was asked for.
pub(crate) fn say(text: impl AsRef<str>) {
    let _reader_gone = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// A table with aligned columns.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|title| title.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let format = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    line(format(head.to_vec()));
    for row in rows {
        line(format(row.iter().map(String::as_str).collect()));
    }
}
