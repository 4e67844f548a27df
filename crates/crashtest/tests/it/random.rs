//! `kill -9` at random points: at random times and at random writes, one process after the other, until a story is over.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;

use crate::database::Postgres;
use crate::plan::{At, How, Place, Plan};
use crate::process::{Ended, Life};
use crate::promises::assert_kept;

/// Writes of a story that nobody disturbs, roughly.
const WRITES: u32 = 20;

/// A folder of one story, in memory: what survives a disk is not what these tests are about.
pub(crate) struct Folder(TempDir);

pub(crate) fn fresh() -> Folder {
    let made = tempfile::Builder::new().prefix("seawall-crash-").tempdir_in("/dev/shm");
    Folder(made.or_else(|_| tempfile::tempdir()).unwrap())
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A name that no other story has.
    pub(crate) fn agent(&self) -> String {
        static STORIES: AtomicU32 = AtomicU32::new(0);
        format!("a{}-{}", std::process::id(), STORIES.fetch_add(1, Ordering::SeqCst))
    }

    pub(crate) fn sqlite(&self) -> Place {
        Place::Sqlite(self.path().join("agents.db"))
    }

    pub(crate) fn json(&self) -> Place {
        Place::Json(self.path().join("store"))
    }

    /// Checks a story. Where it does not hold, its folder is kept and named.
    pub(crate) fn keep_unless<T>(self, check: impl FnOnce() -> T) -> T {
        struct Keep(Option<TempDir>);
        impl Drop for Keep {
            fn drop(&mut self) {
                if let Some(folder) = self.0.take().filter(|_| std::thread::panicking()) {
                    let path: PathBuf = folder.keep();
                    eprintln!("the story that broke a promise: {}", path.display());
                }
            }
        }
        let mut keep = Keep(Some(self.0));
        let found = check();
        drop(keep.0.take());
        found
    }
}

/// How many processes are killed; where there is little time, so many.
fn points(short: u32) -> u32 {
    if let Ok(points) = std::env::var("SEAWALL_POINTS") {
        return points.parse().unwrap();
    }
    if crate::is_long() { 1_000 } else { short }
}

/// What was killed in how many stories.
#[derive(Debug, Default)]
struct Tally {
    killed: u32,
    stories: u32,
    given_up: u32,
    /// How long a story took that nobody disturbed, the last time that there was one.
    whole: Duration,
}

/// How long a story takes that nobody disturbs.
fn undisturbed(place: &dyn Fn(&Folder) -> Place) -> Duration {
    let folder = fresh();
    let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
    let begun = Instant::now();
    assert_eq!(Life::begin(&plan).ended(), Ended::Well);
    let took = begun.elapsed();
    folder.keep_unless(|| assert_kept(&plan));
    took
}

/// Kills one process after the other until the story is over.
fn one(seed: u64, place: &dyn Fn(&Folder) -> Place, tally: &mut Tally) {
    let mut random = Rng::with_seed(seed);
    let folder = fresh();
    let plan = Plan::new(&place(&folder), folder.path(), &folder.agent());
    for life in 1.. {
        let plan = plan.life(life);
        let begun = Instant::now();
        let ended = match random.u8(..10) {
            0 => Life::begin(&plan).ended(),
            1..5 => {
                let number = random.u32(1..WRITES);
                let all = [At::Before(number), At::After(number), At::Policy(number / 3 + 1)];
                let at = random.choice(all).unwrap();
                Life::begin(&plan.ends(at, How::Killed)).ended()
            }
            _ => Life::begin(&plan).killed_after(tally.whole.mul_f64(random.f64())),
        };
        if ended == Ended::Well {
            if life == 1 {
                tally.whole = begun.elapsed();
            }
            break;
        }
        tally.killed += 1;
    }
    let found = folder.keep_unless(|| assert_kept(&plan));
    tally.stories += 1;
    tally.given_up += u32::from(found.was_given_up());
}

fn kill_many(short: u32, place: &dyn Fn(&Folder) -> Place) {
    let mut tally = Tally { whole: undisturbed(place), ..Tally::default() };
    if let Ok(seed) = std::env::var("SEAWALL_SEED") {
        one(seed.parse().unwrap(), place, &mut tally);
        return;
    }
    let begun = Instant::now();
    while tally.killed < points(short) {
        let seed = fastrand::u64(..);
        // Shown where something breaks: a story of the same seed has its ends at the same places.
        eprintln!("SEAWALL_SEED={seed}");
        one(seed, place, &mut tally);
    }
    println!("{tally:?} in {:?}", begun.elapsed());
    // Who is killed ten times in a row without getting anywhere is given up; that is to be rare.
    assert!(tally.given_up * 20 <= tally.stories.max(20), "{tally:?}");
}

#[test]
fn processes_killed_at_random_lose_and_repeat_nothing_on_sqlite() {
    kill_many(100, &|folder| folder.sqlite());
}

#[test]
fn processes_killed_at_random_lose_and_repeat_nothing_in_a_folder() {
    kill_many(30, &|folder| folder.json());
}

#[test]
fn processes_killed_at_random_lose_and_repeat_nothing_on_postgres() {
    let server = Postgres::start();
    kill_many(40, &|_| server.place());
}
