//! Who sees events on their way into the trace.

use std::fmt::Debug;

use seawall_types::Event;

/// Sees each event once, in the order of the lines, on the writer's thread.
///
/// The whole trace waits for it, so it must not block: it takes what it wants of the event and gives it to a thread of
/// its own. It is dropped when the writer has ended. An event that it has seen is not on the disk yet.
pub trait Observer: Debug + Send {
    /// An event has become a line.
    fn event(&mut self, event: &Event);
}
