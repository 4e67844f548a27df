//! What goes to stdout: the one place that prints. Logs and banners go to stderr.

use std::io::{self, Write};

use serde::Serialize;

/// Prints one line. A reader that went away (`| head`) is no error.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let _reader_gone = out
        .write_all(text.as_ref().as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
}

/// Prints bytes as they are.
///
/// # Errors
/// When nobody reads any more.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(bytes)
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
