//! A clock that jumps by an hour, forward and back, under agents that work and between two processes.

use crate::database::Postgres;
use crate::plan::{At, How, Place, Plan};
use crate::process::{Ended, Life};
use crate::promises::assert_kept;
use crate::random::{Folder, fresh};

const HOUR: i64 = 3_600;

/// While which tools the clock jumps, and by how much.
const JUMPS: [[(u64, i64); 2]; 4] =
    [[(1, HOUR), (6, -HOUR)], [(2, -HOUR), (7, HOUR)], [(5, HOUR), (7, HOUR)], [(5, -HOUR), (6, -HOUR)]];

fn jumps(place: &dyn Fn(&Folder) -> Place) {
    for jumps in JUMPS {
        let folder = fresh();
        let mut plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
        plan.jumps = jumps.into();
        assert_eq!(Life::begin(&plan).ended(), Ended::Well, "{jumps:?}");
        folder.keep_unless(|| assert_kept(&plan));
    }
}

/// After which writes a process is killed.
fn numbers() -> std::iter::StepBy<std::ops::Range<u32>> {
    (6..32).step_by(if crate::is_long() { 1 } else { 9 })
}

/// A process whose clock is an hour off is killed, and one with another clock goes on: at once, not in an hour.
fn differs(place: &dyn Fn(&Folder) -> Place, takes_over: bool) {
    for (first, second) in [(HOUR, 0), (0, HOUR)] {
        for number in numbers() {
            let folder = fresh();
            let mut plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
            (plan.offset, plan.lease) = (first, 500);
            if Life::begin(&plan.ends(At::After(number), How::Killed)).ended() == Ended::Killed {
                let mut next = plan.life(2);
                (next.offset, next.is_alone) = (second, !takes_over);
                assert_eq!(Life::begin(&next).ended(), Ended::Well, "{first} {second} {number}");
            }
            folder.keep_unless(|| assert_kept(&plan));
        }
    }
}

#[test]
fn a_clock_that_jumps_an_hour_loses_and_repeats_nothing_on_sqlite() {
    jumps(&|folder| folder.sqlite());
}

#[test]
fn a_clock_that_jumps_an_hour_loses_and_repeats_nothing_in_a_folder() {
    jumps(&|folder| folder.json());
}

#[test]
fn a_clock_that_jumps_an_hour_loses_and_repeats_nothing_on_postgres() {
    let server = Postgres::start();
    jumps(&|_| server.place());
}

#[test]
fn agents_go_on_at_once_where_the_clock_was_put_back_on_sqlite() {
    differs(&|folder| folder.sqlite(), false);
    // Nobody says that the one before is dead: its lease ends when it would have.
    differs(&|folder| folder.sqlite(), true);
}

#[test]
fn agents_go_on_at_once_where_the_clock_was_put_back_in_a_folder() {
    differs(&|folder| folder.json(), false);
}

#[test]
fn a_worker_takes_over_within_the_lease_from_one_whose_clock_is_wrong() {
    let server = Postgres::start();
    differs(&|_| server.place(), true);
}
