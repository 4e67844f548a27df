//! Paths that an agent names: whether they may be read, written or removed, and where they really lead.
//!
//! A path is judged twice. Its text is judged first, without asking the file system (`lexical`): nothing that could be
//! read in two ways goes further. Then it is followed, in one step where no link is on its way (`direct`), else name by
//! name (`follow`), and the rules are applied to where it leads (`resolved`). What was judged can be changed before it is
//! used; only [`FileRules::open`] has no such gap. Nothing here confines a program that opens files by itself: that is the
//! sandbox's work.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use seawall_types::{Code, Effect, Severity};

use crate::Found;

mod direct;
mod encoding;
mod follow;
mod lexical;
mod lookalike;
mod open;
mod places;
mod resolved;
mod windows;

/// Which files may be touched, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRules {
    /// The folder that relative paths are under, and all of which is open, but for what `also` closes. It must exist.
    pub root: PathBuf,
    /// More folders or files, and parts of the root that are read-only. The most specific rule decides; of two for the
    /// same place, read-only wins.
    pub also: Vec<Opened>,
    /// How many bytes a file may have that is read, or that is opened for writing. `None`: any number.
    pub max_file_bytes: Option<u64>,
    /// What becomes of symbolic links below the root and the other opened places.
    pub symlinks: Symlinks,
}

/// A place beside the root, or a part of it with a rule of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where; relative means under the root.
    pub path: PathBuf,
    /// Whether it may be read only.
    pub read_only: bool,
}

/// What becomes of symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Symlinks {
    /// They are followed while they stay inside of what is open.
    #[default]
    Inside,
    /// A path with one in it is refused.
    Never,
}

/// The text names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an opened place needs a path, as in `/srv/data` or `/srv/data:ro`")]
pub struct ParseOpenedError;

/// `PATH`, `PATH:ro` (read-only) or `PATH:rw`.
impl FromStr for Opened {
    type Err = ParseOpenedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, read_only) = match text.strip_suffix(":ro") {
            Some(path) => (path, true),
            None => (text.strip_suffix(":rw").unwrap_or(text), false),
        };
        if path.is_empty() {
            return Err(ParseOpenedError);
        }
        Ok(Self { path: path.into(), read_only })
    }
}

/// What came out about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Where the path leads: absolute, without links and `..`. It is what a tool gets instead of what was written.
    /// `None` when the text can't be followed safely.
    pub resolved: Option<PathBuf>,
    /// Everything that speaks against it; empty when nothing does.
    pub found: Vec<Found>,
}

/// How a file that is written is opened. For a reading effect nothing of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// Make the file when it isn't there. Folders are never made.
    pub create: bool,
    /// Only make it: refuse when it is there.
    pub create_new: bool,
    /// Empty it, once it is clear that it may be written.
    pub truncate: bool,
    /// Write at its end only.
    pub append: bool,
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenRefused {
    /// The rules are against it; never empty.
    #[error("the path is refused: {}", first(.0))]
    Rules(Vec<Found>),
    /// The kernel did not open it (there is none, no permission, no `openat2`).
    #[error("the file could not be opened: {0}")]
    Io(#[from] io::Error),
}

fn first(found: &[Found]) -> String {
    found.first().map_or_else(String::new, |found| found.message.clone())
}

impl FileRules {
    /// Judges the text of a path alone, without asking the file system: the first half of [`Self::judge`].
    #[must_use]
    pub fn judge_text(written: &str) -> Vec<Found> {
        lexical::troubles(written).into_iter().map(|trouble| trouble.found(written)).collect()
    }

    /// Judges a path as it was written. Reads the file system, opens nothing.
    ///
    /// What comes out holds for the moment of judging. A tool that opens the file itself leaves a gap in which somebody
    /// could put a link in its way; [`Self::open`] leaves none.
    #[must_use]
    pub fn judge(&self, effect: Effect, written: &str) -> Judged {
        let found = Self::judge_text(written);
        if !found.is_empty() {
            return Judged { resolved: None, found };
        }
        match resolved::judge(self, effect, written) {
            Ok((path, found)) => Judged { resolved: Some(path), found },
            Err(unfollowable) => Judged { resolved: None, found: vec![unfollowable.found(written)] },
        }
    }

    /// Opens a file, without a gap between judging and opening: the kernel follows the path and refuses every link and
    /// every way out, and what was opened is looked at once more before it is handed out.
    ///
    /// A file is opened for writing only, or for reading only; a folder for reading. For this a kernel with `openat2`
    /// (Linux 5.6) and a mounted `/proc` are needed; without them nothing is opened.
    ///
    /// # Errors
    /// [`OpenRefused::Rules`] when the rules are against it, [`OpenRefused::Io`] when the kernel is, or when the effect
    /// is none that opens a file.
    pub fn open(&self, effect: Effect, written: &str, options: OpenOptions) -> Result<File, OpenRefused> {
        let judged = self.judge(effect, written);
        match judged.resolved {
            Some(path) if judged.found.is_empty() => open::open(self, effect, &path, options),
            _ => Err(OpenRefused::Rules(judged.found)),
        }
    }
}

/// Why a path can't be followed.
#[derive(Debug)]
enum Unfollowable {
    /// The root of the rules isn't there.
    Root(io::Error),
    /// It leads into a process.
    Window(PathBuf),
    /// Its links lead in a circle.
    Loop(PathBuf),
    /// A part of it can't be looked at.
    Look { path: PathBuf, error: io::Error },
}

impl Unfollowable {
    fn look(path: &Path, error: io::Error) -> Self {
        Self::Look { path: path.to_owned(), error }
    }

    fn found(&self, written: &str) -> Found {
        let written = quoted(written);
        let (code, message, remedy) = match self {
            Self::Root(error) => (
                Code::FsOutsideRoot,
                format!("the root of the file rules can't be followed: {error}"),
                "make the folder, or name another root in the policy",
            ),
            Self::Window(path) => (
                Code::FsDevice,
                format!("the path {written} leads into a process, at {}", path.display()),
                "name the file itself",
            ),
            Self::Loop(path) => (
                Code::FsSymlinkEscape,
                format!("the path {written} leads in a circle, at {}", path.display()),
                "name the file itself, without links",
            ),
            Self::Look { path, error } => (
                Code::FsOutsideRoot,
                format!("the path {written} can't be followed past {}: {error}", path.display()),
                "name a path whose folders exist and may be looked at",
            ),
        };
        Found { code, severity: Severity::High, message, remedy: remedy.to_owned() }
    }
}

/// So many characters of a path are repeated in a message.
const MOST_QUOTED: usize = 200;

/// A path as messages repeat it: what can't be printed is escaped, and its length is bounded.
fn quoted(written: &str) -> String {
    match written.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{:?}…", written.get(..end).unwrap_or_default()),
        None => format!("{written:?}"),
    }
}
