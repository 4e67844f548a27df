//! `kill -9` at every boundary of a story: before and after each write to the store, and between an intent and its tool.

use crate::database::Postgres;
use crate::plan::{At, How, Place, Plan};
use crate::process::{Ended, Life};
use crate::promises::assert_kept;
use crate::random::{Folder, fresh};

/// A boundary by its number.
type Side = fn(u32) -> At;

/// Kills a process at the first boundary of a kind, another one at a later one, and so on until a story ends before its
/// process does. How many there were.
fn each(side: Side, step: usize, place: &dyn Fn(&Folder) -> Place) -> u32 {
    for number in (1..).step_by(step) {
        let folder = fresh();
        let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
        let ended = Life::begin(&plan.ends(side(number), How::Killed)).ended();
        if ended == Ended::Killed {
            assert_eq!(Life::begin(&plan.life(2)).ended(), Ended::Well, "{:?}", side(number));
        }
        folder.keep_unless(|| assert_kept(&plan));
        if ended == Ended::Well {
            return number - 1;
        }
    }
    unreachable!("a story has an end")
}

/// Every boundary from both sides; where there is little time, every so-manieth from one.
fn all(step: usize, place: &dyn Fn(&Folder) -> Place) {
    let is_long = crate::is_long();
    let step = if is_long { 1 } else { step };
    let before = if is_long { each(At::Before, 1, place) } else { 0 };
    let after = each(At::After, step, place);
    let between = each(At::Policy, if is_long { 1 } else { 3 }, place);
    println!("killed before {before} writes and after {after}, and at {between} intents, each {step}.");
    assert!(after >= 20 && between >= 8, "{after} {between}");
}

#[test]
fn a_process_killed_at_any_boundary_loses_and_repeats_nothing_on_sqlite() {
    all(1, &|folder| folder.sqlite());
}

#[test]
fn a_process_killed_at_any_boundary_loses_and_repeats_nothing_in_a_folder() {
    all(3, &|folder| folder.json());
}

#[test]
fn a_process_killed_at_any_boundary_loses_and_repeats_nothing_on_postgres() {
    let server = Postgres::start();
    all(1, &|_| server.place());
}
