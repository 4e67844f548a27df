//! Gives up the powers of root, be it of the machine or of a namespace.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

/// What the keeper needs to set mounts up, kept over its start also when it is not root of its namespace.
const FOR_MOUNTS: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::SETPCAP);

/// Lets the next program that this process starts keep what it needs for mounts.
pub(crate) fn hand_on_for_mounts() -> io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.inheritable |= FOR_MOUNTS & sets.permitted;
    rustix::thread::set_capabilities(None, sets)?;
    for capability in FOR_MOUNTS {
        rustix::thread::configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Drops all of them, for good. With no_new_privs, which must be set, no program gives any of them back.
pub(crate) fn drop_all() -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    for capability in CapabilitySet::all() {
        // Not allowed without CAP_SETPCAP; then there is nothing to be given up in the bounding set either.
        let _not_allowed = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
