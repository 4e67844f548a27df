//! Paths: what leads out is found, what leads nowhere else passes, and nothing slips in between.

mod races;
mod spellings;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use seawall_detect::paths::{FileRules, OpenOptions, OpenRefused, Opened, Symlinks};
use seawall_types::{Code, Effect};
use tempfile::TempDir;

/// A root with a file, and a folder beside it with a secret.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        fs::create_dir_all(place.inside("sub")).unwrap();
        fs::create_dir_all(place.outside("")).unwrap();
        fs::write(place.inside("sub/file"), "inside").unwrap();
        fs::write(place.outside("secret"), "outside").unwrap();
        place
    }

    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join("beside").join(name)
    }

    pub(crate) fn rules(&self) -> FileRules {
        FileRules {
            root: self.inside(""),
            also: Vec::new(),
            max_file_bytes: None,
            symlinks: Symlinks::Inside,
        }
    }

    fn with(&self, also: &[&str]) -> FileRules {
        FileRules { also: also.iter().map(|text| text.parse::<Opened>().unwrap()).collect(), ..self.rules() }
    }
}

fn codes(rules: &FileRules, effect: Effect, written: &str) -> Vec<Code> {
    rules.judge(effect, written).found.into_iter().map(|found| found.code).collect()
}

fn read(rules: &FileRules, written: &str) -> Vec<Code> {
    codes(rules, Effect::FsRead, written)
}

#[test]
fn a_relative_path_means_under_the_root_and_the_tool_gets_where_it_leads() {
    let place = Place::new();
    let judged = place.rules().judge(Effect::FsRead, "./sub//file");
    assert_eq!(judged.found, []);
    assert_eq!(judged.resolved, Some(fs::canonicalize(place.inside("sub/file")).unwrap()));
    let new = place.rules().judge(Effect::FsWrite, "new/folder/file");
    assert_eq!((new.found, new.resolved.unwrap().ends_with("root/new/folder/file")), (vec![], true));
    let absolute = place.inside("sub/file");
    assert_eq!(read(&place.rules(), absolute.to_str().unwrap()), []);
}

#[test]
fn an_absolute_path_elsewhere_is_outside() {
    let place = Place::new();
    for path in ["/etc/passwd", "/", place.outside("secret").to_str().unwrap()] {
        assert_eq!(read(&place.rules(), path), [Code::FsOutsideRoot], "{path}");
    }
    // A name that only begins like the root's is another folder.
    let beside = format!("{}x/file", place.inside("").to_str().unwrap().trim_end_matches('/'));
    assert_eq!(read(&place.rules(), &beside), [Code::FsOutsideRoot]);
}

#[test]
fn a_link_is_followed_while_it_stays_inside() {
    let place = Place::new();
    symlink("sub/file", place.inside("near")).unwrap();
    symlink(place.inside("sub"), place.inside("absolute")).unwrap();
    symlink("../root/sub", place.inside("round")).unwrap();
    for path in ["near", "absolute/file", "round/file"] {
        let judged = place.rules().judge(Effect::FsWrite, path);
        assert_eq!(judged.found, [], "{path}");
        assert!(judged.resolved.unwrap().ends_with("root/sub/file"), "{path}");
        let never = FileRules { symlinks: Symlinks::Never, ..place.rules() };
        assert_eq!(read(&never, path), [Code::FsSymlinkEscape], "{path}");
    }
}

#[test]
fn a_link_that_leaves_is_an_escape_also_when_nothing_is_there() {
    let place = Place::new();
    symlink(place.outside(""), place.inside("far")).unwrap();
    symlink("../beside/secret", place.inside("file")).unwrap();
    symlink("far", place.inside("chain")).unwrap();
    symlink("/nowhere/at/all", place.inside("dangling")).unwrap();
    symlink("/", place.inside("slash")).unwrap();
    for path in
        ["far", "far/secret", "far/new", "file", "chain/secret", "dangling", "slash", "slash/etc/passwd"]
    {
        for effect in [Effect::FsRead, Effect::FsWrite, Effect::FsDelete] {
            assert_eq!(codes(&place.rules(), effect, path), [Code::FsSymlinkEscape], "{effect:?} {path}");
        }
    }
    symlink("b", place.inside("a")).unwrap();
    symlink("a", place.inside("b")).unwrap();
    assert_eq!(read(&place.rules(), "a"), [Code::FsSymlinkEscape]);
}

#[test]
fn a_root_that_is_a_link_is_where_it_leads() {
    let place = Place::new();
    symlink(place.inside(""), place.outside("link")).unwrap();
    let rules = FileRules { root: place.outside("link"), symlinks: Symlinks::Never, ..place.rules() };
    assert_eq!(read(&rules, "sub/file"), []);
}

#[test]
fn a_root_that_is_not_there_opens_nothing() {
    let place = Place::new();
    let rules = FileRules { root: place.inside("none"), ..place.rules() };
    assert_eq!(read(&rules, "file"), [Code::FsOutsideRoot]);
    assert_eq!(read(&rules, "/etc/passwd"), [Code::FsOutsideRoot]);
}

#[test]
fn windows_into_processes_and_devices_are_no_files() {
    let place = Place::new();
    let everything = FileRules { root: "/".into(), ..place.with(&["/proc", "/dev"]) };
    UnixListener::bind(place.inside("socket")).unwrap();
    symlink("/proc/self/root", place.inside("window")).unwrap();
    symlink("/dev/null", place.inside("null")).unwrap();
    for path in [
        "/proc/self/root/etc/passwd",
        "/proc/1/root",
        "/proc/self/environ",
        "/dev/fd/0",
        "/dev/stdin",
        "/dev/null",
    ] {
        assert_eq!(read(&everything, path), [Code::FsDevice], "{path}");
    }
    assert_eq!(read(&place.rules(), "socket"), [Code::FsDevice]);
    assert_eq!(read(&place.rules(), "window/etc/passwd"), [Code::FsDevice]);
    assert!(read(&place.rules(), "null").contains(&Code::FsSymlinkEscape));
    // A root of everything does not open the kernel's folders; a rule that names a place in them does.
    let root_alone = FileRules { also: vec![], ..everything };
    assert_eq!(read(&root_alone, "/proc/cpuinfo"), [Code::FsDevice]);
    assert_eq!(read(&root_alone, "/sys/kernel"), [Code::FsDevice]);
    assert_eq!(read(&place.with(&["/proc/cpuinfo:ro"]), "/proc/cpuinfo"), []);
}

#[test]
fn the_most_specific_rule_decides_and_read_only_wins_a_tie() {
    let place = Place::new();
    fs::create_dir_all(place.inside(".git/hooks")).unwrap();
    let outside = place.outside("");
    let rules = place.with(&[".git:ro", ".git/hooks", &format!("{}:ro", outside.display()), "sub", "sub:ro"]);
    for (path, may_read, may_write) in [
        ("file", true, true),
        (".git", true, false),
        (".git/config", true, false),
        (".gitignore", true, true),
        (".git/hooks/new", true, true),
        ("sub/file", true, false),
        (outside.join("secret").to_str().unwrap(), true, false),
        ("/etc/hostname", false, false),
    ] {
        assert_eq!(read(&rules, path).is_empty(), may_read, "read {path}");
        assert_eq!(codes(&rules, Effect::FsWrite, path).is_empty(), may_write, "write {path}");
    }
}

#[test]
fn what_is_closed_stays_closed_when_a_link_takes_its_place() {
    let place = Place::new();
    fs::create_dir(place.inside("other")).unwrap();
    symlink("other", place.inside(".git")).unwrap();
    let rules = place.with(&[".git:ro"]);
    for path in [".git/config", "other/config"] {
        assert_eq!(codes(&rules, Effect::FsWrite, path), [Code::FsOutsideRoot], "{path}");
    }
    assert_eq!(codes(&rules, Effect::FsDelete, ".git"), [Code::FsOutsideRoot; 2]);
}

#[test]
fn removing_takes_the_link_and_nothing_that_is_closed() {
    let place = Place::new();
    symlink("sub/file", place.inside("link")).unwrap();
    let judged = place.rules().judge(Effect::FsDelete, "link");
    assert_eq!(judged.found, []);
    assert!(judged.resolved.unwrap().ends_with("root/link"));
    let rules = place.with(&["sub/closed:ro"]);
    for path in ["sub", "sub/closed", ".", ""] {
        assert!(!codes(&rules, Effect::FsDelete, path).is_empty(), "{path:?}");
    }
    assert_eq!(codes(&rules, Effect::FsDelete, "sub/file"), []);
}

#[test]
fn a_file_with_several_names_is_read_and_not_written() {
    let place = Place::new();
    fs::hard_link(place.outside("secret"), place.inside("twin")).unwrap();
    assert_eq!(read(&place.rules(), "twin"), []);
    assert_eq!(codes(&place.rules(), Effect::FsWrite, "twin"), [Code::FsSymlinkEscape]);
    let options = OpenOptions { truncate: true, ..OpenOptions::default() };
    assert!(matches!(place.rules().open(Effect::FsWrite, "twin", options), Err(OpenRefused::Rules(_))));
    assert_eq!(fs::read_to_string(place.outside("secret")).unwrap(), "outside");
}

#[test]
fn a_file_may_have_as_many_bytes_as_the_policy_says() {
    let place = Place::new();
    for (limit, codes) in [(6, vec![]), (5, vec![Code::FsTooLarge])] {
        let rules = FileRules { max_file_bytes: Some(limit), ..place.rules() };
        assert_eq!(read(&rules, "sub/file"), codes);
        assert_eq!(rules.open(Effect::FsRead, "sub/file", OpenOptions::default()).is_ok(), codes.is_empty());
    }
}

#[test]
fn what_may_be_opened_is_opened() {
    let place = Place::new();
    let rules = place.rules();
    let text = |file: fs::File| std::io::read_to_string(file).unwrap();
    assert_eq!(text(rules.open(Effect::FsRead, "sub/file", OpenOptions::default()).unwrap()), "inside");
    let write = |path: &str, options, bytes: &[u8]| {
        std::io::Write::write_all(&mut rules.open(Effect::FsWrite, path, options).unwrap(), bytes).unwrap();
        fs::read_to_string(place.inside(path)).unwrap()
    };
    let create = OpenOptions { create: true, ..OpenOptions::default() };
    assert_eq!(write("sub/new", create, b"abc"), "abc");
    assert_eq!(write("sub/new", OpenOptions { append: true, ..create }, b"d"), "abcd");
    assert_eq!(write("sub/new", OpenOptions { truncate: true, ..create }, b"x"), "x");
    let again = rules.open(Effect::FsWrite, "sub/new", OpenOptions { create_new: true, ..create });
    assert!(
        matches!(again, Err(OpenRefused::Io(error)) if error.kind() == std::io::ErrorKind::AlreadyExists)
    );
    assert!(rules.open(Effect::FsRead, "sub", OpenOptions::default()).unwrap().metadata().unwrap().is_dir());
    let single = place.outside("secret");
    let rules = place.with(&[single.to_str().unwrap()]);
    let opened = rules.open(Effect::FsRead, single.to_str().unwrap(), OpenOptions::default()).unwrap();
    assert_eq!(text(opened), "outside");
}

#[test]
fn what_may_not_be_judged_good_is_not_opened() {
    let place = Place::new();
    symlink(place.outside("secret"), place.inside("escape")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.inside("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for path in ["escape", "../beside/secret", "pipe", "/proc/self/root/etc/passwd"] {
        for effect in [Effect::FsRead, Effect::FsWrite] {
            let opened = place.rules().open(effect, path, OpenOptions::default());
            assert!(matches!(opened, Err(OpenRefused::Rules(found)) if !found.is_empty()), "{path}");
        }
    }
    for effect in [Effect::FsDelete, Effect::Net, Effect::Exec] {
        assert!(place.rules().open(effect, "sub/file", OpenOptions::default()).is_err(), "{effect:?}");
    }
}

#[test]
fn a_message_repeats_a_path_in_bounds_and_without_its_control_characters() {
    let place = Place::new();
    let found = place.rules().judge(Effect::FsRead, &format!("a\u{1b}[2J\n/../{}", "b".repeat(3000))).found;
    for found in found {
        assert!(found.message.len() < 400 && !found.message.contains(['\u{1b}', '\n']), "{}", found.message);
    }
}

#[test]
fn a_place_is_written_with_or_without_how_it_is_open() {
    for (text, path, read_only) in [
        ("/srv/data:ro", "/srv/data", true),
        ("/srv:rw", "/srv", false),
        (".git", ".git", false),
        ("a:b", "a:b", false),
    ] {
        assert_eq!(text.parse(), Ok(Opened { path: Path::new(path).into(), read_only }), "{text}");
    }
    assert!(":ro".parse::<Opened>().is_err() && "".parse::<Opened>().is_err());
}
