//! The process is killed while it writes: what it was told is kept is there.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use seawall_engine::Agent;
use seawall_store::AgentStore;

use crate::lock::{part, told};
use crate::stage::{Actor, id, in_memory, open, wait};

const AGENTS: [&str; 3] = ["a", "b", "c"];

#[test]
#[ignore = "it is a part of the test below"]
fn appends_until_it_is_killed() {
    let Some(folder) = told() else { return };
    let store = open(&folder);
    std::thread::scope(|scope| {
        for name in AGENTS {
            let store = &store;
            scope.spawn(move || {
                let is_there = wait(store.agent(&id(name))).unwrap().is_some();
                let mut actor = if is_there { Actor::resume(store, name) } else { Actor::new(store, name) };
                loop {
                    // Whoever reads this was told after the disk was.
                    println!("kept {name} {}", actor.kept.seq());
                    actor.next(store);
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_survives_being_killed_at_any_moment() {
    let mut folder = in_memory();
    for round in 0..100_u64 {
        if round % 10 == 0 {
            folder = in_memory();
        }
        let mut writer = part("crash::appends_until_it_is_killed", folder.path());
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        // At another moment in each round: after so many lines, and some microseconds.
        let mut kept: Vec<_> = lines.by_ref().take(4 + usize::try_from(round % 13).unwrap()).collect();
        let until = Instant::now() + Duration::from_micros(round * 37 % 2_000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        kept.extend(lines);
        assert!(
            kept.iter().any(|line| line.contains("kept ")),
            "round {round}: it has done nothing: {kept:?}"
        );
        let store = open(folder.path());
        for name in AGENTS {
            let told = kept
                .iter()
                .filter_map(|line| line.split_once("kept ")?.1.strip_prefix(name)?.trim().parse().ok());
            let told: u64 = told.max().unwrap_or(0);
            let Some(loaded) = wait(store.load(&id(name))).unwrap() else {
                assert_eq!(told, 0, "round {round}: agent {name} is gone");
                continue;
            };
            assert!(loaded.seq() >= told, "round {round}: {told} was kept, {} is there", loaded.seq());
            let log = wait(store.events(&id(name), 0, u32::MAX)).unwrap();
            assert_eq!(loaded.agent(), &Agent::fold(&log).unwrap(), "round {round}");
        }
    }
}
