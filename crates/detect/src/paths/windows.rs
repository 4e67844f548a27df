//! Windows into the kernel: paths that are no files, or that lead to what another process has open.

use std::path::{Component, Path};

use rustix::fs::FileType;

use super::places::is_in;

/// Folders that hold no files of anybody. What lies below one is refused, unless a rule opens a place below it by name.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The folder of [`KERNEL`] that `path`, absolute and without `.` and `..`, is in.
pub(super) fn kernel_folder(path: &Path) -> Option<&'static str> {
    KERNEL.into_iter().find(|folder| is_in(path, Path::new(folder)))
}

/// Whether `path` is in a process's window (`/proc/self`, `/proc/1234`, `/dev/fd`, `/dev/stdin`), whose links lead to
/// whatever that process has open, its root included. No rule opens these.
pub(super) fn is_process_window(path: &Path) -> bool {
    if kernel_folder(path).is_none() {
        return false;
    }
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some("proc"), Some(name)) => {
            matches!(name, "self" | "thread-self" | "kcore" | "kmem" | "mem")
                || name.bytes().all(|byte| byte.is_ascii_digit())
        }
        (Some("dev"), Some(name)) => {
            matches!(name, "fd" | "stdin" | "stdout" | "stderr" | "mem" | "kmem" | "port")
        }
        _ => false,
    }
}

/// What a thing is that can't be opened like a file; `None` for files, folders and links.
pub(super) fn device_name(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile | FileType::Directory | FileType::Symlink => None,
        FileType::BlockDevice | FileType::CharacterDevice => Some("a device"),
        FileType::Fifo => Some("a pipe"),
        FileType::Socket => Some("a socket"),
        FileType::Unknown => Some("something unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_into_a_process_is_known_by_its_path() {
        for path in ["/proc/self/root/etc", "/proc/1/environ", "/proc/thread-self", "/dev/fd/3", "/dev/stdin"]
        {
            assert!(is_process_window(Path::new(path)), "{path}");
        }
        for path in ["/proc/cpuinfo", "/dev/null", "/srv/proc/self", "/processes/1", "/proc"] {
            assert!(!is_process_window(Path::new(path)), "{path}");
        }
    }
}
