//! A run's events in the formats of other programs: tables as CSV and Parquet, spans as OTLP.
//!
//! [`Actions`] joins the events of each action (admitted, settled, the tools that were asked for) into one row. The
//! columns of a table are declared once, in [`table`], and written by [`csv`] and [`parquet`] alike. [`otlp`] makes
//! spans of the same rows.
//!
//! It writes into whatever it is given and knows no network: sending spans is the business of the crates above. It
//! doesn't verify; what was changed is exported as it stands.

mod action;
pub mod csv;
pub mod otlp;
pub mod parquet;
mod provider;
pub mod table;

use std::io;

pub use action::{ActionRow, Actions, End, Row, RunRow, Seen, ToolUse};

/// An export can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file or pipe refused.
    #[error("the export can't be written: {0}")]
    Io(#[from] io::Error),
    /// The file could not be put together.
    #[error("the parquet file can't be written: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}
