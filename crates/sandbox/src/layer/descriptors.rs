//! Closes what a parent left open by mistake: a descriptor is a right that no other layer takes away.

use std::io;

/// Closes every descriptor but the three streams.
///
/// Right only at the start of a stage, when nothing here owns a descriptor yet.
pub(crate) fn close_all_but_streams() -> io::Result<()> {
    let listed: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&number| number > 2)
        .collect();
    for number in listed {
        // The descriptor of the listing itself is among them, and closed already.
        let _closed_already = nix::unistd::close(number);
    }
    Ok(())
}
