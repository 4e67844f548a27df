//! A disk that is full under agents that work: refused is refused, and with room again everything goes on.
//!
//! The child gets a mount namespace of its own with a small disk in memory; the test reaches into it through
//! `/proc/PID/root`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use seawall_engine::CallState;

use crate::outages::{has_run, until_told};
use crate::plan::{Place, Plan};
use crate::process::{Ended, Life};
use crate::promises::assert_kept;
use crate::random::fresh;
use crate::witness::Line;

const MEGABYTES: u32 = 16;

/// Takes all the room that is left.
fn fill(disk: &Path) {
    let mut ballast = File::create(disk.join("ballast")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

fn make_room(disk: &Path) {
    fs::remove_file(disk.join("ballast")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn refusals(told: &[Line]) -> usize {
    told.iter().filter(|line| matches!(line, Line::Refused { .. })).count()
}

fn fills_up_and_goes_on(place: fn(PathBuf) -> Place) {
    let folder = fresh();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mut plan = Plan::new(&place(disk.join("agents")), folder.path(), &folder.agent());
    (plan.gated, plan.waits, plan.padding) = (Some(5), true, 1_000);
    let script = format!("mount -t tmpfs -o size={MEGABYTES}m,mode=700 seawall-test \"$0\" && exec \"$@\"");
    let namespaces: &[&str] = if rustix::process::geteuid().is_root() {
        &["unshare", "--mount"]
    } else {
        &["unshare", "--user", "--map-root-user", "--mount"]
    };
    let life =
        Life::begin_under(&[namespaces, &["sh", "-c", &script, disk.to_str().unwrap()]].concat(), &plan);
    let file = |name: &str| fs::write(folder.path().join(name), "").unwrap();
    assert!(until_told(&life, &plan, |told| told.iter().any(|line| matches!(line, Line::Log { .. }))));
    let inside = PathBuf::from(format!("/proc/{}/root{}", life.pid(), disk.display()));

    // A message that can't be kept is not accepted.
    fill(&inside);
    file("go");
    assert!(until_told(&life, &plan, |told| refusals(told) >= 1));
    let is_accepted = |line: &Line| matches!(line, Line::Accepted { .. });
    assert!(until_told(&life, &plan, |told| !told.iter().any(is_accepted)));
    make_room(&inside);

    // What a tool did is written down when there is room again.
    assert!(until_told(&life, &plan, |told| has_run(told, "call_1_5")));
    let before = refusals(&crate::witness::of_life(folder.path(), 1));
    fill(&inside);
    file("gate");
    assert!(until_told(&life, &plan, |told| refusals(told) > before));
    make_room(&inside);

    assert!(until_told(&life, &plan, |told| told.contains(&Line::End)));
    let kept = folder.path().join("kept");
    copy(&inside, &kept);
    file("leave");
    assert_eq!(life.ended(), Ended::Well);
    plan.store = place(kept.join("agents"));
    let found = folder.keep_unless(|| assert_kept(&plan));
    assert_eq!(found.state_of(5), CallState::Completed);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_on_sqlite() {
    fills_up_and_goes_on(Place::Sqlite);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_in_a_folder() {
    fills_up_and_goes_on(Place::Json);
}
