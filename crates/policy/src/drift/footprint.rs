//! What one call touches, as coarsely as a baseline tells it: hosts and folders.

use std::collections::BTreeMap;
use std::path::Path;

use seawall_detect::network::Target;

use crate::place::below_root;
use crate::pointer::Pointer;

/// Folders are told apart by so many names below the root, or from `/` on.
const DEEPEST: usize = 3;

/// Stands for every host that can't be read. Its text may hold a password, so it is not kept.
const UNREADABLE: &str = "(unreadable)";

/// Hosts and folders, each with the first place in the arguments that leads there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Footprint {
    pub(crate) hosts: BTreeMap<String, String>,
    pub(crate) folders: BTreeMap<String, String>,
}

impl Footprint {
    pub(crate) fn host(&mut self, target: Option<&Target>, at: &Pointer<'_>) {
        let host = target.map_or(UNREADABLE, |target| target.host.as_str());
        self.hosts.entry(host.to_owned()).or_insert_with(|| at.to_string());
    }

    pub(crate) fn path(&mut self, path: &str, root: &Path, at: &Pointer<'_>) {
        self.folders.entry(folder(path, root)).or_insert_with(|| at.to_string());
    }
}

/// The folder that a path is in: below the root without it, `.` for the root itself, else absolute; at home from `~` on.
///
/// It is told from the text alone, so that a path means the same when it is read from a trace, on a disk that has changed.
/// What links hide is the rules' about files to find.
fn folder(path: &str, root: &Path) -> String {
    let path = path.strip_prefix("file://").unwrap_or(path).replace('\\', "/");
    let is_relative = !path.starts_with(['/', '~']);
    let whole = match root.to_str() {
        Some(root) if is_relative => below_root(&format!("{root}/{path}"), Some(Path::new(root))),
        _ => below_root(&path, Some(root)),
    };
    let start = if whole.starts_with('/') { "/" } else { "" };
    let mut names: Vec<&str> = whole.split('/').filter(|name| !name.is_empty()).collect();
    if !path.ends_with('/') {
        names.pop();
    }
    names.truncate(DEEPEST);
    if names.is_empty() && start.is_empty() { ".".to_owned() } else { format!("{start}{}", names.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_below_the_root_or_from_the_top() {
        for (path, expected) in [
            ("a.txt", "."),
            ("./a.txt", "."),
            ("", "."),
            ("src/a.rs", "src"),
            ("src/", "src"),
            ("src/../lib/a.rs", "lib"),
            ("a/b/c/d/e.rs", "a/b/c"),
            ("/srv/work/src/a.rs", "src"),
            ("/srv/work/a.rs", "."),
            ("/srv/workshop/a", "/srv/workshop"),
            ("../other/a", "/srv/other"),
            ("../../etc/passwd", "/etc"),
            ("../../../../etc/passwd", "/etc"),
            ("/etc/passwd", "/etc"),
            ("/passwd", "/"),
            ("file:///etc/ssh/key", "/etc/ssh"),
            ("~/.ssh/id_ed25519", "~/.ssh"),
            ("C:\\Windows\\x.dll", "C:/Windows"),
        ] {
            assert_eq!(folder(path, Path::new("/srv/work")), expected, "{path}");
        }
    }
}
