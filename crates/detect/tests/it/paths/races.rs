//! Somebody changes the root while a file in it is opened.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use seawall_detect::paths::OpenOptions;
use seawall_types::Effect;

use super::Place;

const TRIES: usize = 1000;

/// Runs `disturb` over and over in a thread of its own while `attempt` is made a thousand times.
fn against(disturb: impl Fn() + Sync, attempt: impl Fn()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb();
            }
        });
        (0..TRIES).for_each(|_| attempt());
        done.store(true, Ordering::Relaxed);
    });
}

/// Puts what `make` makes at `name`, in one step.
fn put(place: &Place, name: &str, make: impl Fn(&std::path::Path)) {
    let passing = place.inside("passing");
    make(&passing);
    fs::rename(&passing, place.inside(name)).unwrap();
}

#[test]
fn a_link_swapped_in_for_a_file_is_never_read_through() {
    let place = Place::new();
    put(&place, "file", |path| fs::write(path, "inside").unwrap());
    against(
        || {
            put(&place, "file", |path| symlink(place.outside("secret"), path).unwrap());
            put(&place, "file", |path| fs::write(path, "inside").unwrap());
        },
        || {
            if let Ok(file) = place.rules().open(Effect::FsRead, "file", OpenOptions::default()) {
                assert_eq!(std::io::read_to_string(file).unwrap(), "inside");
            }
        },
    );
}

#[test]
fn a_link_swapped_in_for_a_folder_is_never_written_through() {
    let place = Place::new();
    fs::create_dir(place.inside("folder")).unwrap();
    symlink(place.outside(""), place.inside("link")).unwrap();
    let swap = || {
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            place.inside("folder"),
            rustix::fs::CWD,
            place.inside("link"),
            rustix::fs::RenameFlags::EXCHANGE,
        )
        .unwrap();
    };
    let options = OpenOptions { create: true, truncate: true, ..OpenOptions::default() };
    against(swap, || {
        for name in ["folder/new", "folder/secret"] {
            if let Ok(mut file) = place.rules().open(Effect::FsWrite, name, options) {
                file.write_all(b"written").unwrap();
            }
        }
    });
    assert_eq!(fs::read_to_string(place.outside("secret")).unwrap(), "outside");
    assert!(!place.outside("new").exists());
}

#[test]
fn a_hard_link_swapped_in_is_never_emptied() {
    let place = Place::new();
    let options = OpenOptions { create: true, truncate: true, ..OpenOptions::default() };
    against(
        || {
            put(&place, "file", |path| fs::write(path, "inside").unwrap());
            put(&place, "file", |path| fs::hard_link(place.outside("secret"), path).unwrap());
        },
        || {
            if let Ok(mut file) = place.rules().open(Effect::FsWrite, "file", options) {
                file.write_all(b"written").unwrap();
            }
        },
    );
    assert_eq!(fs::read_to_string(place.outside("secret")).unwrap(), "outside");
}

#[test]
fn a_folder_that_is_moved_out_is_found_where_it_is() {
    let place = Place::new();
    fs::create_dir(place.inside("moving")).unwrap();
    fs::write(place.inside("moving/file"), "moves").unwrap();
    against(
        || {
            fs::rename(place.inside("moving"), place.outside("moved")).unwrap();
            fs::rename(place.outside("moved"), place.inside("moving")).unwrap();
        },
        || {
            // Whether it is there just then is chance; that nothing but its own text is ever read is not.
            if let Ok(file) = place.rules().open(Effect::FsRead, "moving/file", OpenOptions::default()) {
                assert_eq!(std::io::read_to_string(file).unwrap(), "moves");
            }
        },
    );
}

#[test]
fn the_window_of_a_process_is_never_opened() {
    let place = Place::new();
    put(&place, "file", |path| fs::write(path, "inside").unwrap());
    against(
        || {
            put(&place, "file", |path| symlink("/proc/self/root/etc/passwd", path).unwrap());
            put(&place, "file", |path| symlink("/proc/self/fd/0", path).unwrap());
            put(&place, "file", |path| fs::write(path, "inside").unwrap());
        },
        || {
            for name in ["file", "/proc/self/root/etc/passwd"] {
                if let Ok(file) = place.rules().open(Effect::FsRead, name, OpenOptions::default()) {
                    assert_eq!(std::io::read_to_string(file).unwrap(), "inside");
                }
            }
        },
    );
}
