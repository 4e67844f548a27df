//! Which of an agent's messages its model sees.

use serde::{Deserialize, Serialize};

/// The messages that were said and are still in a history: from one place to another. A summary that stands before them has
/// no place; it is kept with the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The place of the first message.
    pub from: u64,
    /// The place of the last message; `from - 1` where there is none.
    pub to: u64,
}

impl Default for Window {
    /// Of an agent that has no messages.
    fn default() -> Self {
        Self { from: 1, to: 0 }
    }
}

impl Window {
    /// How many messages.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.to.saturating_add(1).saturating_sub(self.from)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// With one message more.
    #[must_use]
    pub const fn grown(self) -> Self {
        Self { to: self.to.saturating_add(1), ..self }
    }

    /// With only the last `kept` messages.
    #[must_use]
    pub const fn last(self, kept: u64) -> Self {
        let kept = if kept < self.len() { kept } else { self.len() };
        Self { from: self.to.saturating_add(1).saturating_sub(kept), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_at_its_end_and_shrinks_at_its_beginning() {
        let mut window = Window::default();
        assert!(window.is_empty());
        (0..10).for_each(|_| window = window.grown());
        assert_eq!((window.from, window.to, window.len()), (1, 10, 10));
        let short = window.last(4);
        assert_eq!((short.from, short.to), (7, 10));
        assert_eq!(short.grown().last(100), short.grown());
        assert!(short.last(0).is_empty());
        assert_eq!(short.last(0).grown().len(), 1);
    }
}
