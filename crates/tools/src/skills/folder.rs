//! What is in the folder of a skill.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use serde::Deserialize;

use super::Skill;

/// The longest `SKILL.md`.
const MOST_BYTES: u64 = 256 * 1024;
/// So many files of a skill are known, and so deep below its folder.
const MOST_FILES: usize = 500;
const DEEPEST: usize = 4;

/// What stands before the text, between lines of `---`. Other keys are other programs'.
#[derive(Debug, Deserialize)]
struct Matter {
    name: String,
    description: String,
}

/// The folders that have a `SKILL.md`, in the order of their names.
pub(super) fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.join("SKILL.md").is_file());
    found.sort_unstable();
    found
}

/// Reads a skill; gives its name.
pub(super) fn read(folder: &Path) -> Result<(String, Skill), String> {
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    let text = text(&folder)?;
    let (matter, _) =
        parts(&text).ok_or("SKILL.md has no lines of --- with a name and a description at its top")?;
    let Matter { name, description } = serde_saphyr::from_str(matter)
        .map_err(|error| format!("the top of SKILL.md can't be read: {error}"))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
        return Err(format!("{name:?} can't name a skill: use 1 to 64 of A-Z a-z 0-9 _ -"));
    }
    let mut files = Vec::new();
    list(&folder, &mut PathBuf::new(), &mut files);
    files.sort_unstable();
    let (scripts, others) = files.into_iter().partition(|file| is_script(file));
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((name, Skill { description, folder, scripts, others }))
}

/// The text of `SKILL.md`, after what stands before it.
pub(super) fn instructions(folder: &Path) -> Result<String, String> {
    let text = text(folder)?;
    Ok(parts(&text).map_or_else(|| text.clone(), |(_, rest)| rest.trim().to_owned()))
}

fn text(folder: &Path) -> Result<String, String> {
    let mut text = String::new();
    // Over no link: an agent may be able to put one there, and must not be shown where it leads.
    let (flags, no_links) = (OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, ResolveFlags::NO_SYMLINKS);
    let file = openat2(CWD, folder.join("SKILL.md"), flags, Mode::empty(), no_links).map(File::from);
    let file = file.map_err(|error| format!("SKILL.md can't be opened: {error}"))?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| format!("SKILL.md: {error}"))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("SKILL.md has more than {MOST_BYTES} bytes; move parts into files beside it"));
    }
    Ok(text)
}

fn parts(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"))?;
    let (matter, rest) = rest.split_once("\n---")?;
    Some((matter, rest.split_once('\n').map_or("", |(_, rest)| rest)))
}

/// Every file below, links left out.
fn list(folder: &Path, below: &mut PathBuf, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder.join(&*below)) else { return };
    for entry in entries.flatten() {
        let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else { continue };
        below.push(name);
        if kind.is_dir() && below.components().count() < DEEPEST {
            list(folder, below, files);
        } else if kind.is_file() && files.len() < MOST_FILES {
            files.extend(below.to_str().filter(|name| *name != "SKILL.md").map(str::to_owned));
        }
        below.pop();
    }
}

/// What is in `scripts/`, as skills are laid out.
fn is_script(file: &str) -> bool {
    file.starts_with("scripts/")
}
