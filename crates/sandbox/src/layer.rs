//! The layers of a confinement, each in its file: what it asks of the kernel, and what it says when the kernel won't.

pub(crate) mod capabilities;
pub(crate) mod cgroup;
pub(crate) mod descriptors;
mod filter;
pub(crate) mod landlock;
pub(crate) mod limits;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod seccomp;
mod system_calls;
mod system_files;

/// Why a layer could not be applied although the confinement can't do without it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
