//! The layer that makes a line of each event.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use seawall_types::{Clock, mask};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::Format;
use super::fields::{FieldWriter, MessageReader, SpanFields, SpanRecorder, push_escaped};
use super::output::Output;

/// What a thread formats its lines in, kept so that a line costs no allocation.
#[derive(Default)]
struct Buffers {
    line: String,
    scratch: String,
    names: Vec<&'static str>,
}

/// Capacity that one huge line may leave behind.
const LARGEST_KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Makes a line of each event and writes it.
pub(crate) struct Lines {
    format: Format,
    clock: Arc<dyn Clock>,
    output: Arc<Output>,
}

impl Lines {
    pub(crate) fn new(format: Format, clock: Arc<dyn Clock>, output: Arc<Output>) -> Self {
        Self { format, clock, output }
    }

    fn write<S>(&self, event: &Event<'_>, context: &Context<'_, S>, buffers: &mut Buffers)
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        buffers.line.clear();
        buffers.names.clear();
        self.push_head(event, buffers);
        let Buffers { line, scratch, names } = buffers;
        let mut writer = FieldWriter { line, scratch, names, format: self.format };
        event.record(&mut writer);
        push_spans(event, context, &mut writer);
        buffers.line.push_str(match self.format {
            Format::Json => "}\n",
            Format::Text => "\n",
        });
        self.output.write(buffers.line.as_bytes());
        buffers.line.shrink_to(LARGEST_KEPT);
        buffers.scratch.shrink_to(LARGEST_KEPT);
    }

    /// Time, level, target and message.
    fn push_head(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let Buffers { line, scratch, .. } = buffers;
        scratch.clear();
        event.record(&mut MessageReader(scratch));
        let message = mask(scratch);
        let time = self.clock.now().to_rfc3339_bytes();
        let time = std::str::from_utf8(&time).unwrap_or_default();
        let (level, target) = (level_name(*event.metadata().level()), event.metadata().target());
        let quotes = self.format == Format::Json;
        let parts = match self.format {
            Format::Json => [
                "{\"ts\":\"",
                time,
                "\",\"level\":\"",
                level,
                "\",\"target\":\"",
                target,
                "\",\"message\":\"",
            ],
            Format::Text => ["", time, " ", level, " ", target, ": "],
        };
        line.extend(parts);
        push_escaped(line, &message, quotes);
        if quotes {
            line.push('"');
        }
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Appends the fields of the spans around an event, the innermost first, so that it wins.
fn push_spans<S>(event: &Event<'_>, context: &Context<'_, S>, writer: &mut FieldWriter<'_>)
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    for span in context.event_scope(event).into_iter().flatten() {
        let extensions = span.extensions();
        let Some(SpanFields(fields)) = extensions.get() else { continue };
        for field in fields {
            if writer.begin(field.name) {
                writer.line.push_str(&field.value);
            }
        }
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields::default();
        attributes.record(&mut SpanRecorder { fields: &mut fields, format: self.format });
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(fields) = extensions.get_mut::<SpanFields>() {
            values.record(&mut SpanRecorder { fields, format: self.format });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Formatting a value may itself log; that inner line then gets buffers of its own.
        BUFFERS.with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => self.write(event, &context, &mut buffers),
            Err(_) => self.write(event, &context, &mut Buffers::default()),
        });
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("format", &self.format).finish_non_exhaustive()
    }
}
