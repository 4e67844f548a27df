//! Logs, as the flags and the configuration want them.

use std::io::IsTerminal;
use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_base::telemetry::{self, Format, Options, TelemetryHandle};

use crate::args::{Global, LogFormat};
use crate::exit::Failure;
use crate::settings::LoggingSettings;

/// Starts logging for a server.
///
/// # Errors
/// When the level can't be read or the file can't be written.
pub(crate) fn start(global: &Global, settings: &LoggingSettings) -> Result<TelemetryHandle, Failure> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error".to_owned(),
        (false, 0) => settings.level.clone(),
        (false, 1) => "debug".to_owned(),
        (false, _) => "trace".to_owned(),
    };
    let on_terminal = || if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let format = match global.log_format.or(settings.format).unwrap_or_else(on_terminal) {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    let file = global.log_file.clone().or_else(|| settings.file.clone());
    let options = Options {
        level,
        format,
        stderr: file.is_none(),
        file,
        rotate_bytes: settings.rotate_size,
        keep: settings.keep,
        clock: Arc::new(SystemClock::new()),
    };
    telemetry::init(options).map_err(|error| Failure::usage(format!("{:#}", anyhow::Error::new(error))))
}

/// Logging for a command that answers and ends: warnings, on stderr.
pub(crate) fn quietly(global: &Global) -> Result<(), Failure> {
    let settings =
        LoggingSettings { level: "warn".to_owned(), format: None, file: None, rotate_size: None, keep: 1 };
    start(global, &settings).map(|_ends_with_the_process| ())
}
