//! What speaks against the place that a path leads to.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use seawall_types::{Code, Effect, Severity};

use super::direct::{Direct, There, plain};
use super::follow::{Follow, Followed, follow};
use super::places::{Places, is_in};
use super::windows::{device_name, kernel_folder};
use super::{FileRules, Symlinks, Unfollowable, quoted};
use crate::Found;

/// Follows a path whose text is in order, and judges where it leads.
pub(super) fn judge(
    rules: &FileRules,
    effect: Effect,
    written: &str,
) -> Result<(PathBuf, Vec<Found>), Unfollowable> {
    let (places, followed) = place(rules, written)?;
    let mut case = Case { rules, effect, places: &places, written, found: Vec::new() };
    case.judge_place(&followed.path, &followed.links);
    case.judge_links(&followed.links);
    if effect == Effect::FsDelete {
        let entry = if followed.links.is_empty() || follows_last(written) {
            followed
        } else {
            follow(&places.root().join(written), Follow::AllButLast)?
        };
        case.judge_place(&entry.path, &entry.links);
        case.judge_removal(&entry.path);
        return Ok((entry.path, case.found));
    }
    if let Some(there) = followed.there {
        case.judge_file(&followed.path, &there);
    }
    Ok((followed.path, case.found))
}

/// The opened places, and where the path leads.
fn place(rules: &FileRules, written: &str) -> Result<(Places, Followed), Unfollowable> {
    if let (Some(direct), Some(root)) = (Direct::prove(joined(&rules.root, written)), plain(&rules.root)) {
        // With no link on the way to what is in it, the root is where its own text says, too.
        if is_in(&direct.path, &root) && (direct.exists() || direct.path.as_os_str() != root.as_os_str()) {
            return Ok((Places::in_root(rules, root.into_owned())?, Followed::directly(direct)?));
        }
    }
    let places = Places::of(rules)?;
    let followed = follow(&places.root().join(written), Follow::All)?;
    Ok((places, followed))
}

/// The path below the root, or as it stands when it is absolute.
fn joined(root: &Path, written: &str) -> PathBuf {
    let mut path = PathBuf::with_capacity(root.as_os_str().len() + 1 + written.len());
    path.push(root);
    path.push(written);
    path
}

/// Whether a link at the end is followed also by what removes: what is written like a folder is one.
fn follows_last(written: &str) -> bool {
    written.ends_with('/') || written.ends_with("/.")
}

/// Whether the effect changes a file.
pub(super) fn changes(effect: Effect) -> bool {
    matches!(effect, Effect::FsWrite | Effect::FsDelete)
}

/// One path under judgement.
pub(super) struct Case<'a> {
    pub(super) rules: &'a FileRules,
    pub(super) effect: Effect,
    pub(super) places: &'a Places,
    pub(super) written: &'a str,
    pub(super) found: Vec<Found>,
}

impl Case<'_> {
    fn note(&mut self, code: Code, what: &str, remedy: &str) {
        let message = format!("the path {} {what}", quoted(self.written));
        let found = Found { code, severity: Severity::High, message, remedy: remedy.to_owned() };
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// Whether the rules open the place for this effect.
    pub(super) fn judge_place(&mut self, path: &Path, links: &[PathBuf]) {
        let Some(place) = self.places.deciding(path) else {
            let was_inside = links.iter().any(|link| self.places.deciding(link).is_some());
            return if was_inside {
                self.note(
                    Code::FsSymlinkEscape,
                    "leads out of what is open, by a link",
                    "name a file in the root",
                );
            } else {
                self.note(
                    Code::FsOutsideRoot,
                    "is outside of what the policy opens",
                    "name a path under the root",
                );
            };
        };
        if place.read_only && changes(self.effect) {
            self.note(
                Code::FsOutsideRoot,
                "is in a read-only place",
                "write to another place, or open this one",
            );
        }
        if let Some(folder) = kernel_folder(path)
            && !place.path.starts_with(folder)
        {
            self.note(Code::FsDevice, &format!("is in {folder}, which holds no files"), "name a file");
        }
    }

    fn judge_links(&mut self, links: &[PathBuf]) {
        if self.rules.symlinks == Symlinks::Never
            && links.iter().any(|link| self.places.deciding(link).is_some())
        {
            self.note(
                Code::FsSymlinkEscape,
                "leads over a symbolic link, which the policy forbids",
                "name the file itself",
            );
        }
    }

    /// Whether removing `entry` takes away more than the rules open.
    fn judge_removal(&mut self, entry: &Path) {
        if self.places.is_one(entry) {
            self.note(
                Code::FsOutsideRoot,
                "is an opened place itself, whose folder isn't open",
                "remove what is in it",
            );
        } else if self.places.hold_closed_below(entry) {
            self.note(Code::FsOutsideRoot, "holds a read-only place", "remove what is beside that place");
        }
    }

    /// Whether what is there may be opened.
    pub(super) fn judge_file(&mut self, path: &Path, there: &There) {
        if let Some(name) = device_name(there.kind) {
            self.note(Code::FsDevice, &format!("leads to {name}"), "name a file");
        } else if there.is_process_view && !path.starts_with("/proc") {
            self.note(Code::FsDevice, "leads into a view of the kernel's processes", "name a file");
        }
        if there.kind != FileType::RegularFile {
            return;
        }
        if changes(self.effect) && there.has_other_names {
            self.note(
                Code::FsSymlinkEscape,
                "has more than one name (hard links), and another may be outside",
                "write a copy instead",
            );
        }
        let size = there.bytes;
        if let Some(limit) = self.rules.max_file_bytes.filter(|limit| size > *limit) {
            self.note(
                Code::FsTooLarge,
                &format!("has {size} bytes, and the policy allows {limit}"),
                "name a smaller file, or raise `max_file_bytes`",
            );
        }
    }
}
