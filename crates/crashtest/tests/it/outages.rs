//! The database killed under agents that work: what it has acknowledged stays, what it could not be told is told later.

use std::fs;
use std::time::{Duration, Instant};

use seawall_engine::CallState;

use crate::database::Postgres;
use crate::plan::Plan;
use crate::process::{Ended, Life};
use crate::promises::assert_kept;
use crate::random::fresh;
use crate::witness::{Line, of_life};

/// Waits until the first life has told something, or has ended.
pub(crate) fn until_told(life: &Life, plan: &Plan, is_it: impl Fn(&[Line]) -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let told = of_life(&plan.folder, plan.life);
        if is_it(&told) {
            return true;
        }
        if life.has_ended() {
            return false;
        }
        assert!(Instant::now() < end, "what it has told so far: {told:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn has_run(told: &[Line], wanted: &str) -> bool {
    told.iter().any(|line| matches!(line, Line::Ran { call, .. } if call == wanted))
}

/// How often the database dies, some times in each story.
fn deaths() -> usize {
    if crate::is_long() { 100 } else { 6 }
}

#[test]
fn a_database_that_dies_again_and_again_loses_and_repeats_nothing() {
    let server = Postgres::start();
    let (mut died, mut stories) = (0, 0);
    while died < deaths() {
        let folder = fresh();
        let mut plan = Plan::new(&server.place(), folder.path(), &folder.agent());
        // Shorter than some of the outages: holders lose their agents too.
        plan.lease = 1_000;
        let life = Life::begin(&plan);
        let mut seen = fastrand::usize(1..8);
        while until_told(&life, &plan, |told| told.len() >= seen) {
            server.kill();
            if fastrand::bool() {
                std::thread::sleep(Duration::from_millis(plan.lease + 200));
            }
            server.begin();
            died += 1;
            seen = of_life(&plan.folder, 1).len() + fastrand::usize(5..40);
        }
        assert_eq!(life.ended(), Ended::Well);
        folder.keep_unless(|| assert_kept(&plan));
        stories += 1;
    }
    println!("the database died {died} times in {stories} stories");
}

#[test]
fn what_a_tool_did_while_the_database_was_away_is_written_down_when_it_is_back() {
    let server = Postgres::start();
    let folder = fresh();
    let mut plan = Plan::new(&server.place(), folder.path(), &folder.agent());
    plan.gated = Some(5);
    let life = Life::begin(&plan);
    assert!(until_told(&life, &plan, |told| has_run(told, "call_1_5")));
    server.kill();
    fs::write(folder.path().join("gate"), "").unwrap();
    let is_refused = |line: &Line| matches!(line, Line::Refused { .. });
    assert!(until_told(&life, &plan, |told| told.iter().any(is_refused)));
    server.begin();
    assert_eq!(life.ended(), Ended::Well);
    let found = folder.keep_unless(|| assert_kept(&plan));
    assert_eq!(found.state_of(5), CallState::Completed);
}
