//! What every store of agents promises, as claims that are tested.
//!
//! ```ignore
//! mod agents {
//!     seawall_store::agent_conformance!(|| async { opened_twice() });
//! }
//! ```
//!
//! makes a test of each claim, on a runtime of its own. The function opens the same empty store twice, as two processes
//! would; what only one process can have open is given twice.

mod blobs;
mod copies;
mod due;
mod leases;
mod loading;
mod log;
mod queries;
mod rooms;
mod rows;
mod several;
mod stage;
mod walk;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use seawall_types::{ManualClock, Timestamp};

use crate::agents::AgentStore;

pub use blobs::*;
pub use copies::*;
pub use due::*;
pub use leases::*;
pub use loading::*;
pub use log::*;
pub use queries::*;
pub use rooms::*;
pub use rows::*;
pub use several::*;
pub use walk::life;

/// One store, opened twice, and the clock that its leases go by.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn AgentStore>,
    /// The same, as another process has it.
    pub other: Arc<dyn AgentStore>,
    /// Its clock.
    pub time: Arc<dyn Time>,
}

/// The store's time, which claims let pass.
pub trait Time: Debug + Send + Sync {
    /// The time by the store's clock.
    fn now(&self) -> Pin<Box<dyn Future<Output = Timestamp> + Send + '_>>;

    /// Lets time pass for the store. A store whose clock can't be moved brings the times that it keeps forward
    /// instead: the ends of leases, and when agents are due.
    fn pass(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Time for ManualClock {
    fn now(&self) -> Pin<Box<dyn Future<Output = Timestamp> + Send + '_>> {
        Box::pin(async { seawall_types::Clock::now(self) })
    }

    fn pass(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move { self.advance(by) })
    }
}

/// Runs a claim on a fresh store.
pub fn run<Opening: Future<Output = Opened>>(
    open: impl FnOnce() -> Opening,
    claim: impl for<'a> FnOnce(&'a Opened) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
) {
    // Two threads, so that claims about what happens at once mean it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let opened = open().await;
        claim(&opened).await;
    });
}

/// Makes a test of each claim for a store of agents; `$open` gives an [`Opened`], in a while.
#[macro_export]
macro_rules! agent_conformance {
    ($open:expr) => {
        $crate::agent_conformance!(@each $open;
            an_empty_store_has_nobody
            a_new_agent_is_told_as_it_was_made
            of_many_who_make_an_agent_at_once_one_does
            a_log_is_read_back_to_the_byte
            events_are_given_from_any_number_on
            an_append_after_another_one_is_told_and_changes_nothing
            an_append_of_a_stale_holder_is_refused_and_changes_nothing
            an_append_to_nobody_is_refused
            a_stale_holder_is_told_so_whoever_else_has_written
            of_many_who_append_at_once_one_does
            an_outsider_needs_no_lease_and_breaks_none
            what_expires_is_not_kept_and_its_numbers_are_not_used_again
            what_is_large_comes_back
            what_is_loaded_is_the_fold_of_the_log
            what_is_loaded_goes_on_where_it_was
            messages_follow_the_log
            calls_follow_the_log
            a_message_is_accepted_once
            a_name_of_a_snapshot_is_used_once
            a_window_is_what_the_model_sees_and_older_messages_stay
            a_fork_has_rows_of_its_own
            the_index_follows_the_log
            agents_are_found_by_what_they_are
            agents_are_listed_in_order_and_by_pages
            messages_are_found_by_what_they_are
            calls_are_found_by_what_they_are
            what_there_is_is_counted
            who_rests_is_not_due
            who_has_a_message_is_due_at_once
            who_is_due_at_once_is_so_whatever_clock_it_was_written_by
            a_question_that_expires_is_due_then
            the_longest_due_are_claimed_first
            tenants_take_turns
            who_waits_is_counted_by_tenant
            who_is_claimed_is_not_due_for_others
            an_agent_of_a_dead_worker_is_taken_over
            no_agent_is_claimed_twice_at_once
            a_claim_raises_the_epoch_each_time_that_another_one_claims
            an_agent_is_held_by_one
            a_lease_that_has_lapsed_is_not_renewed
            who_has_lapsed_writes_on_until_another_one_claims
            what_was_given_up_is_free
            what_a_worker_held_is_free_when_it_ends
            what_a_worker_holds_is_listed
            workers_that_are_alive_are_listed
            a_blob_is_its_agents_own
            nothing_is_left_of_who_was_purged
            what_was_known_of_who_was_purged_does_not_reach_its_successor
            a_copy_is_what_it_was_copied_from
            a_copy_goes_on_where_it_ended
            a_copy_overwrites_nothing
            forks_stand_by_themselves
            a_fork_takes_nobodys_name
            a_room_is_due_until_everybody_has_heard
            what_is_said_in_a_room_is_accepted_once
            what_one_writes_the_other_sees
            a_store_says_how_it_is
            nothing_works_after_the_end
        );
    };
    (@each $open:expr; $($claim:ident)*) => {$(
        #[test]
        fn $claim() {
            $crate::conformance::agents::run($open, |opened| {
                Box::pin($crate::conformance::agents::$claim(opened))
            });
        }
    )*};
}
