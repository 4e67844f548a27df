//! What the keeper mounts in its own mount namespace: processes of its own, meeting places of its own, and read-only
//! folders inside of writable ones. Which files may be used is Landlock's; this hides what Landlock does not guard.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};

use crate::confinement::{Confinement, Files, Network};
use crate::layer::Refusal;
use crate::layer::system_files::{MEETING_PLACES, SERVICES};
use crate::report::Layers;
use crate::wire::Handover;

/// What a private folder may hold when nothing else bounds memory.
const PRIVATE_BYTES: u64 = 256 * 1024 * 1024;

/// Mounts what can be mounted; tells which private folders may be written.
///
/// # Errors
/// When a read-only folder inside of a writable one can't be kept read-only.
pub(crate) fn set_up(
    confinement: &Confinement,
    handover: &Handover,
    layers: &mut Layers,
) -> Result<Vec<PathBuf>, Refusal> {
    let inner = inner_read_only(&confinement.files);
    if !handover.own_mounts {
        return match inner.first() {
            None => Ok(Vec::new()),
            Some(folder) => Err(Refusal::new(format!(
                "{} is to be read-only inside of a writable folder, which takes a mount namespace; none can be made here",
                folder.display()
            ))),
        };
    }
    keep_to_ourselves().map_err(|error| Refusal::new(format!("mounts can't be made private: {error}")))?;
    for folder in inner {
        make_read_only(folder).map_err(|error| {
            Refusal::new(format!("{} can't be made read-only: {error}", folder.display()))
        })?;
    }
    if handover.own_processes
        && let Err(error) = mount("proc", "/proc", "proc", safe_flags() | MountFlags::NOEXEC, None)
    {
        layers.lack("own /proc", error);
    }
    Ok(private_folders(confinement, layers))
}

/// What is mounted here must not show outside.
fn keep_to_ourselves() -> io::Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

fn safe_flags() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NODEV
}

/// Readable folders that lie inside of writable ones.
fn inner_read_only(files: &Files) -> Vec<&Path> {
    let Files::Only { writable, readable } = files else { return Vec::new() };
    let is_inner = |path: &&PathBuf| writable.iter().any(|folder| path.starts_with(folder));
    readable.iter().filter(is_inner).map(PathBuf::as_path).filter(|path| path.exists()).collect()
}

/// A folder mounted onto itself, read-only. What its file system forbids already has to be said again, or the kernel
/// refuses (mount_namespaces(7), locked flags).
fn make_read_only(path: &Path) -> io::Result<()> {
    const KEPT: [(StatVfsMountFlags, MountFlags); 5] = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let present = rustix::fs::statvfs(path)?.f_flag;
    let kept = KEPT.iter().filter(|(old, _)| present.contains(*old)).map(|(_, new)| *new);
    mount_bind(path, path)?;
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |flags, flag| flags | flag);
    Ok(mount_remount(path, flags, "")?)
}

/// Empty folders over those where everybody meets, unless something below them was granted.
fn private_folders(confinement: &Confinement, layers: &mut Layers) -> Vec<PathBuf> {
    let Files::Only { writable, readable } = &confinement.files else { return Vec::new() };
    let granted = || writable.iter().chain(readable).chain([&confinement.root]);
    let is_free =
        |place: &str| !granted().any(|path| path.starts_with(place) || Path::new(place).starts_with(path));
    let size = confinement.limits.memory_bytes.unwrap_or(PRIVATE_BYTES).min(PRIVATE_BYTES);
    let cover = |place: &str, mode: &str, layers: &mut Layers| match cover(place, mode, size) {
        Ok(()) => true,
        Err(error) => {
            layers.lack(&format!("private {place}"), error);
            false
        }
    };
    // A resolver's configuration may be a link into the services' folder.
    if confinement.network == Network::None && is_free(SERVICES) && Path::new(SERVICES).is_dir() {
        cover(SERVICES, "0755", layers);
    }
    let meeting = MEETING_PLACES.iter().filter(|place| is_free(place) && Path::new(place).is_dir());
    meeting.filter(|place| cover(place, "1777", layers)).map(PathBuf::from).collect()
}

fn cover(place: &str, mode: &str, size: u64) -> io::Result<()> {
    let options = CString::new(format!("mode={mode},size={size}"))?;
    Ok(mount("tmpfs", place, "tmpfs", safe_flags(), options.as_c_str())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_readable_folder_inside_a_writable_one_needs_a_mount() {
        let here = std::env::temp_dir();
        let inner = here.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        let files = Files::Only { writable: vec![here], readable: vec![inner.clone(), "/usr".into()] };
        assert_eq!(inner_read_only(&files), [inner.as_path()]);
        assert!(inner_read_only(&Files::Any).is_empty());
    }
}
