//! Confines a child process and ends its whole family: what it may touch is decided by the kernel, not by reading its
//! command line.
//!
//! A program that uses this crate calls [`launch_if_asked`] first thing in `main`. [`Sandbox::spawn`] starts that same
//! program again as a **supervisor**, which starts it a third time as the **keeper**: the keeper gives up every right that
//! the [`Confinement`] does not name and starts the command. The supervisor stays outside, watches the caller, the clock
//! and the keeper, and leaves nothing alive behind.
//!
//! It is not a policy (it takes a `Confinement` as it is), and not a virtual machine: the kernel is shared. What each
//! layer holds, and what none of them does, is in `docs/sandbox.md`.

mod child;
mod command;
mod confinement;
mod family;
mod launch;
mod layer;
mod report;
mod sandbox;
mod wire;

pub use child::{Child, Ender, Lost};
pub use command::{Command, Stream};
pub use confinement::{Confinement, Files, Layer, Limits, Network};
pub use launch::launch_if_asked;
pub use report::{Ending, Layers, Report};
pub use sandbox::{Sandbox, SpawnError};
