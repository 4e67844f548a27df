//! Gives up the powers of root, be it of the machine or of a namespace.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

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
