//! Logs: one line an event, to standard error and to a file, with secrets masked.
//!
//! A JSON line is `{"ts","level","target","message", …}` with the fields of the event and then those of the spans it
//! happened in (`run`, `request`); the innermost wins where two have one name. Line breaks and other control
//! characters are escaped and everything that looks like a credential is masked, in the formatter, so that no caller
//! can forget it.
//!
//! Metrics and traces of actions are not logs and are not made here.

mod fields;
mod layer;

mod output;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use seawall_types::Clock;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

use crate::clock::SystemClock;
use output::Output;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object.
    #[default]
    Json,
    /// For people: time, level, target, message, `key=value`.
    Text,
}

/// Where logs go and which ones.
#[derive(Debug, Clone)]
pub struct Options {
    /// The least severe level to keep (`error`, `warn`, `info`, `debug`, `trace`, `off`), then with commas the levels
    /// of single targets: `info,hyper=warn`.
    pub level: String,
    /// How a line is written.
    pub format: Format,
    /// Whether lines go to standard error.
    pub stderr: bool,
    /// A file that lines are appended to, made with mode 0600.
    pub file: Option<PathBuf>,
    /// The size in bytes at which the file is renamed to `<file>.1` and a new one begun; `None` never does.
    pub rotate_bytes: Option<u64>,
    /// How many renamed files are kept.
    pub keep: u32,
    /// What the lines take their time from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::default(),
            stderr: true,
            file: None,
            rotate_bytes: None,
            keep: 10,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Logging can't be set up as asked.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none.
    #[error(
        "{0:?} is no log level: write error, warn, info, debug, trace or off, and target=level after commas"
    )]
    Level(String),
    /// The log file can't be opened.
    #[error("the log file {} can't be opened: check its folder and permissions", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// This process logs already.
    #[error("logging is set up already: call init once")]
    AlreadySet,
}

/// Changes running logging. Clones are the same.
#[derive(Debug, Clone)]
pub struct TelemetryHandle {
    level: reload::Handle<Targets, Registry>,
    output: Arc<Output>,
}

impl TelemetryHandle {
    /// Changes the level, in the form of [`Options::level`].
    ///
    /// # Errors
    /// It is no level; the old one stays.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        let targets = parse_level(level)?;
        // The only way to fail is that the subscriber is gone, and with it whoever would read the logs.
        let _ = self.level.reload(targets);
        Ok(())
    }

    /// Closes the file and opens its path again, after somebody has moved it away (SIGHUP).
    ///
    /// # Errors
    /// It can't be opened; lines go on to the old one.
    pub fn reopen(&self) -> io::Result<()> {
        self.output.reopen()
    }

    /// How many lines could not be written, to any of their places.
    #[must_use]
    pub fn lost_lines(&self) -> u64 {
        self.output.lost_lines()
    }
}

/// Makes `options` the logging of this process, and sends panics there too. Called once, in `main`.
///
/// # Errors
/// The level is none, the file can't be opened, or logging is set up already.
pub fn init(options: Options) -> Result<TelemetryHandle, TelemetryError> {
    let (subscriber, handle) = subscriber(options)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(handle)
}

/// The subscriber alone, for whoever installs it otherwise (tests do, for one thread).
///
/// # Errors
/// The level is none, or the file can't be opened.
pub fn subscriber(
    options: Options,
) -> Result<(impl Subscriber + Send + Sync + 'static, TelemetryHandle), TelemetryError> {
    let targets = parse_level(&options.level)?;
    let output = Arc::new(Output::open(&options)?);
    let (filter, level) = reload::Layer::new(targets);
    let lines = layer::Lines::new(options.format, options.clock, Arc::clone(&output));
    Ok((tracing_subscriber::registry().with(filter).with(lines), TelemetryHandle { level, output }))
}

/// Whether a level can be read.
///
/// # Errors
/// When it is none.
pub fn check_level(text: &str) -> Result<(), TelemetryError> {
    parse_level(text).map(|_good| ())
}

/// Parts with a name must have a level: `inof` would otherwise be a target, and everything else silent.
fn parse_level(text: &str) -> Result<Targets, TelemetryError> {
    let refused = || TelemetryError::Level(text.to_owned());
    let mut targets = Targets::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (target, level) =
            part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        let level: LevelFilter = level.parse().map_err(|_| refused())?;
        targets = match target {
            Some(target) => targets.with_target(target, level),
            None => targets.with_default(level),
        };
    }
    Ok(targets)
}

fn log_panic(info: &std::panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    tracing::error!(target: "panic", place, thread, "panicked: {}", crate::tasks::panic_message(info.payload()));
}
