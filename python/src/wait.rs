//! How a call of async code waits for a person: until its task has gone, and never in the thread of its event loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use seawall_guard::Patience;

/// One wait. Whoever gave it up takes no approval along.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Wait {
    is_long: bool,
    given_up: Arc<AtomicBool>,
}

impl Wait {
    pub(crate) fn patience(&self) -> Patience {
        if !self.is_long {
            return Patience::none();
        }
        let given_up = Arc::clone(&self.given_up);
        Patience::new(move || !given_up.load(Ordering::Acquire))
    }
}

#[pymethods]
impl Wait {
    /// One that lasts as long as the run lets calls wait, or none at all.
    #[new]
    fn new(is_long: bool) -> Self {
        Self { is_long, given_up: Arc::default() }
    }

    /// Nobody waits any more.
    fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }
}
