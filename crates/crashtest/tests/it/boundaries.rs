//! `kill -9` at every boundary of a story: before and after each event is durable, and between an intent and its tool.

use std::collections::BTreeMap;
use std::fs;

use crate::database::Postgres;
use crate::doomed::{UNHEARD, numbered};
use crate::outages::until_told;
use crate::plan::{At, How, Nth, Place, Plan};
use crate::process::{Ended, Life};
use crate::promises::{Found, assert_kept};
use crate::random::{Folder, fresh};
use crate::story::CALLS;
use crate::witness::{Line, of_life};

/// A story of which the first process is killed somewhere, and the second one plays the rest.
fn killed(at: &At, place: &dyn Fn(&Folder) -> Place) -> (Ended, Found) {
    let folder = fresh();
    let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
    let ended = Life::begin(&plan.ends(at.clone(), How::Killed)).ended();
    if ended == Ended::Killed {
        assert_eq!(Life::begin(&plan.life(2)).ended(), Ended::Well, "{at:?}");
    }
    (ended, folder.keep_unless(|| assert_kept(&plan)))
}

/// The events of each write of a story that nobody disturbs.
fn undisturbed(place: &dyn Fn(&Folder) -> Place) -> Vec<Vec<Nth>> {
    let folder = fresh();
    let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
    assert_eq!(Life::begin(&plan).ended(), Ended::Well);
    let mut seen = BTreeMap::new();
    let lines = of_life(folder.path(), 1);
    let mut writes = Vec::new();
    for line in &lines {
        let Line::Wrote { events, .. } = line else { continue };
        let events = numbered(seen.clone(), events);
        seen.extend(events.iter().map(|event| (event.kind.clone(), event.number)));
        writes.push(events);
    }
    folder.keep_unless(|| assert_kept(&plan));
    writes
}

/// Kills a process at the boundary that each of these events is. A story is another one each time, and may come to its end
/// without one of them; then its log has none.
fn at_each(events: &[&Nth], side: fn(Nth) -> At, place: &dyn Fn(&Folder) -> Place) -> usize {
    let mut hit = 0;
    for event in events {
        let (ended, found) = killed(&side((*event).clone()), place);
        match ended {
            Ended::Killed => hit += 1,
            Ended::Well => assert!(found.count(&event.kind) < event.number, "nobody was killed at {event:?}"),
        }
    }
    // Else these were not the same stories.
    assert!(hit * 2 > events.len(), "killed at {hit} of {events:?}");
    hit
}

/// Kills a process each so-manieth time that the policy is asked. How many were killed.
fn at_intents(step: usize, place: &dyn Fn(&Folder) -> Place) -> usize {
    let numbers = (1..).step_by(step);
    numbers.take_while(|number| killed(&At::Policy(*number), place).0 == Ended::Killed).count()
}

/// Every event from both sides; where there is little time, the last event of each so-manieth write from one.
fn all(step: usize, place: &dyn Fn(&Folder) -> Place) {
    // Somebody holds an agent before there is an event that says so.
    assert_eq!(killed(&At::After(2), place).0, Ended::Killed);
    let writes = undisturbed(place);
    let every = if crate::is_long() { 1 } else { 3 };
    let intents = at_intents(every, place);
    let (before, after) = if crate::is_long() {
        let all: Vec<_> = writes.iter().flatten().collect();
        (at_each(&all, At::BeforeEvent, place), at_each(&all, At::AfterEvent, place))
    } else {
        let ends: Vec<_> = writes.iter().step_by(step).filter_map(|write| write.last()).collect();
        (0, at_each(&ends, At::AfterEvent, place))
    };
    println!(
        "killed before {before} events and after {after} in {} writes, and at {intents} intents.",
        writes.len()
    );
    assert!(intents * every >= CALLS.len(), "each call is judged: {intents}");
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

fn is_unheard(line: &Line) -> bool {
    matches!(line, Line::Refused { why } if why.contains(UNHEARD))
}

/// A story in which the store's answer to the write of each of these events is lost: the write is made, and its writer is told
/// that it failed. How often that happened.
fn unheard(step: usize, place: &dyn Fn(&Folder) -> Place) {
    let writes = undisturbed(place);
    let events: Vec<_> = writes.iter().flatten().step_by(if crate::is_long() { 1 } else { step }).collect();
    let mut lost = 0;
    for event in &events {
        let folder = fresh();
        let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
        let plan = plan.ends(At::AfterEvent((*event).clone()), How::Unheard);
        assert_eq!(Life::begin(&plan).ended(), Ended::Well, "{event:?}");
        let told = of_life(folder.path(), 1);
        let found = folder.keep_unless(|| assert_kept(&plan));
        if told.iter().any(is_unheard) {
            lost += 1;
        } else {
            assert!(found.count(&event.kind) < event.number, "everybody heard of {event:?}");
        }
    }
    println!("the answers to {lost} writes were lost");
    assert!(lost * 2 > events.len(), "{lost} answers were lost of {events:?}");
}

#[test]
fn a_write_that_was_made_and_is_said_to_have_failed_is_neither_lost_nor_repeated_on_sqlite() {
    unheard(2, &|folder| folder.sqlite());
}

#[test]
fn a_write_that_was_made_and_is_said_to_have_failed_is_neither_lost_nor_repeated_in_a_folder() {
    unheard(6, &|folder| folder.json());
}

#[test]
fn a_write_that_was_made_and_is_said_to_have_failed_is_neither_lost_nor_repeated_on_postgres() {
    let server = Postgres::start();
    unheard(2, &|_| server.place());
}

/// Writes, claims and releases, each so-manieth in one story.
fn unheard_again_and_again(place: &dyn Fn(&Folder) -> Place) {
    for nth in if crate::is_long() { 2..12 } else { 2..5 } {
        let folder = fresh();
        let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
        let plan = plan.ends(At::Each(nth), How::Unheard);
        assert_eq!(Life::begin(&plan).ended(), Ended::Well, "each {nth}");
        let lost = of_life(folder.path(), 1).iter().filter(|line| is_unheard(line)).count();
        folder.keep_unless(|| assert_kept(&plan));
        assert!(lost > 0, "each {nth}");
    }
}

#[test]
fn a_store_whose_answers_are_lost_again_and_again_loses_and_repeats_nothing() {
    let server = Postgres::start();
    unheard_again_and_again(&|folder| folder.sqlite());
    unheard_again_and_again(&|folder| folder.json());
    unheard_again_and_again(&|_| server.place());
}

fn is_taken_up(line: &Line) -> bool {
    let Line::Wrote { events, .. } = line else { return false };
    events.iter().any(|event| event["fact"]["kind"] == "agent.claimed")
}

/// Without a client who would have it looked for: whoever has claimed it finds out alone.
fn unheard_claim(place: &dyn Fn(&Folder) -> Place) {
    let folder = fresh();
    let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
    let first = At::AfterEvent(Nth { kind: "tool.started".to_owned(), number: 1 });
    assert_eq!(Life::begin(&plan.ends(first, How::Killed)).ended(), Ended::Killed);
    let second = Plan { waits: true, ..plan.life(2).ends(At::Claim, How::Unheard) };
    let life = Life::begin(&second);
    assert!(until_told(&life, &second, |told| told.iter().any(is_taken_up)));
    let told = of_life(folder.path(), 2);
    assert!(told.iter().any(is_unheard), "{told:?}");
    for gate in ["go", "leave"] {
        fs::write(folder.path().join(gate), "").unwrap();
    }
    assert_eq!(life.ended(), Ended::Well);
    folder.keep_unless(|| assert_kept(&plan));
}

#[test]
fn an_agent_whose_claim_nobody_heard_of_is_taken_up_all_the_same() {
    let server = Postgres::start();
    unheard_claim(&|folder| folder.sqlite());
    unheard_claim(&|folder| folder.json());
    unheard_claim(&|_| server.place());
}
