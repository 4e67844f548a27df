//! What every store promises, as claims that are tested.
//!
//! ```ignore
//! seawall_store::conformance!(|| { let store = Arc::new(MemoryStore::new()); (store.clone(), store) });
//! ```
//!
//! makes a test of each claim. The function opens the same empty store twice, as two processes would.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code: a store that fails a claim is to panic"
)]

pub mod agents;
mod approvals;
mod budgets;
mod keys;
mod runs;

use std::sync::Arc;

use seawall_types::Timestamp;

use crate::Store;

pub use approvals::*;
pub use budgets::*;
pub use keys::*;
pub use runs::*;

/// One store, opened twice.
pub type Pair = (Arc<dyn Store>, Arc<dyn Store>);

/// Makes a test of each claim for a store; `$open` gives a [`Pair`].
#[macro_export]
macro_rules! conformance {
    ($open:expr) => {
        $crate::conformance!(@each $open;
            a_key_is_read_back_as_it_was_kept
            a_name_has_one_current_key
            a_name_is_free_again_when_its_key_is_revoked
            a_known_hash_is_refused
            revoking_ends_overlapping_keys_too
            revoking_an_unknown_key_is_refused
            a_rotated_key_ends_when_the_overlap_does
            rotating_needs_a_current_key
            a_refused_rotation_changes_nothing
            a_limit_is_replaced_and_removed
            what_a_limit_does_not_say_stays_as_it_was
            each_write_of_a_key_shows_to_others
            each_write_of_a_limit_shows_to_others
            keeping_the_ledger_or_runs_is_no_change
            there_is_no_snapshot_at_first
            a_snapshot_is_read_back_as_it_was_saved
            the_last_snapshot_counts
            a_run_is_listed_from_its_start_to_its_end
            heads_are_merged
            a_forgotten_run_is_gone
            starting_twice_keeps_the_first_row
            a_fresh_store_answers
            an_approval_is_read_back_as_it_was_kept
            the_same_question_is_asked_once
            an_approval_is_bound_to_run_actor_tool_and_arguments
            what_is_allowed_once_is_used_up_by_one_of_many
            what_is_allowed_for_arguments_or_the_run_lasts
            a_denial_stands_and_goes_before_what_allows
            nobody_deciding_is_a_denial_that_is_told_once
            the_first_decision_stands
            an_approval_that_is_shown_answers_in_another_run
            what_was_asked_before_a_new_start_is_found_by_the_same_caller
            the_newest_approvals_are_listed_oldest_first
            a_decision_is_recorded_by_one
            asking_is_no_change_of_keys
            only_what_is_over_and_written_down_is_forgotten
        );
    };
    (@each $open:expr; $($claim:ident)*) => {$(
        #[test]
        fn $claim() {
            let pair: $crate::conformance::Pair = $open();
            $crate::conformance::$claim(&pair);
        }
    )*};
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000 + 7)
}

/// The store can be read and written from the start.
pub fn a_fresh_store_answers((store, _): &Pair) {
    store.ping().unwrap();
}
