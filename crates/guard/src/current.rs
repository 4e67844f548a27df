//! The run that calls on this thread belong to.
//!
//! A convenience of Rust programs. Nothing else looks at it: a binding has its own way to carry a run along.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use crate::Run;
use crate::run::Inner;

thread_local! {
    /// The runs that were entered and not left, the innermost last. They don't keep a run alive.
    static ENTERED: RefCell<Vec<Weak<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// The run that was entered last on this thread and has not ended.
#[must_use]
pub fn current() -> Option<Run> {
    ENTERED.with_borrow_mut(|entered| {
        loop {
            let run = entered.last()?.upgrade().map(|inner| Run { inner });
            match run.filter(|run| !run.is_finished()) {
                Some(run) => return Some(run),
                None => _ = entered.pop(),
            }
        }
    })
}

/// A run is the current one of this thread until this is dropped.
#[must_use = "the run is left when this is dropped"]
#[derive(Debug)]
pub struct Entered {
    run: Weak<Inner>,
    /// What is on one thread's list must not be taken off another's.
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn new(run: &Run) -> Self {
        let run = Arc::downgrade(&run.inner);
        ENTERED.with_borrow_mut(|entered| entered.push(Weak::clone(&run)));
        Self { run, _of_this_thread: std::marker::PhantomData }
    }

    /// Leaves it current until it ends: an ended run is passed over.
    pub(crate) fn for_as_long_as_the_run(self) {
        std::mem::forget(self);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The thread may be ending, and its list with it.
        let _gone = ENTERED.try_with(|entered| {
            if let Ok(mut entered) = entered.try_borrow_mut()
                && let Some(place) = entered.iter().rposition(|run| run.ptr_eq(&self.run))
            {
                entered.remove(place);
            }
        });
    }
}
