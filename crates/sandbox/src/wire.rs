//! How caller, supervisor and keeper talk: one JSON value a packet over a socket pair, with descriptors beside it.
//!
//! What may be long (arguments, environment) travels in an anonymous file, whose descriptor is passed. Nothing is read
//! from arguments or the environment, which other users could see.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::report::{Layers, Report};

/// The longest packet. The longest that is sent lists some layers with their reasons.
const PACKET_BYTES: usize = 64 * 1024;

/// The order and the three streams.
pub(crate) const DESCRIPTORS: usize = 4;

/// What the caller asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) confinement: Confinement,
    pub(crate) invocation: Invocation,
    /// The caller, whose end is the family's end.
    pub(crate) caller: i32,
    /// Why namespaces are not to be tried again.
    pub(crate) namespaces_failed: Option<String>,
}

/// What the supervisor has done, for the keeper to go on from.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// The keeper is the first process of a process namespace.
    pub(crate) own_processes: bool,
    /// Mounts are the keeper's own.
    pub(crate) own_mounts: bool,
    /// There is nothing in the network.
    pub(crate) own_network: bool,
    /// A cgroup bounds memory.
    pub(crate) memory_is_bounded: bool,
    /// A cgroup bounds the number of processes.
    pub(crate) processes_are_bounded: bool,
}

/// What the keeper tells the supervisor, and the supervisor the caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// The keeper is confined by these; from here on the command may run (from the keeper).
    Confined(Layers),
    /// The command runs (from the keeper).
    Running,
    /// The command runs, held by these (from the supervisor).
    Started(Layers),
    /// It can't be held as was asked, and does not run.
    Refused(String),
    /// Namespaces failed half-way, and nothing else can be done in this process.
    NamespacesFailed(String),
    /// There is no such program, or it can't be run.
    NotStarted { not_found: bool, message: String },
    /// The command ended (from the keeper).
    Ended { ending: crate::Ending, violations: u64 },
    /// The family ended (from the supervisor).
    Done(Report),
}

/// Two ends of a packet socket. Both close when a process executes another program.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a value, and descriptors beside it.
pub(crate) fn send(
    socket: impl AsFd,
    value: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let packet = serde_json::to_vec(value)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("more descriptors than a packet takes"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&packet)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next value with its descriptors; `None` when the other end is closed.
pub(crate) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut packet = vec![0; PACKET_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let mut slices = [IoSliceMut::new(&mut packet)];
        rustix::net::recvmsg(socket.as_fd(), &mut slices, &mut beside, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::other("a packet was cut off"));
    }
    let Some(text) = packet.get(..received.bytes).filter(|text| !text.is_empty()) else { return Ok(None) };
    let rights = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(Some((serde_json::from_slice(text)?, rights.flatten().collect())))
}

/// The order as an anonymous file.
pub(crate) fn write_order(order: &Order) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(order)?)?;
    Ok(file.into())
}

/// The order out of its file.
pub(crate) fn read_order(file: OwnedFd) -> io::Result<Order> {
    let mut file = std::fs::File::from(file);
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_arrives_with_its_descriptors() {
        let (near, far) = pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        send(&near, &"word", &[writer.as_fd()]).unwrap();
        drop(writer);
        let (word, descriptors): (String, _) = receive(&far).unwrap().unwrap();
        assert_eq!(word, "word");
        for descriptor in descriptors {
            std::fs::File::from(descriptor).write_all(b"through").unwrap();
        }
        assert_eq!(std::io::read_to_string(reader).unwrap(), "through");
    }

    #[test]
    fn a_closed_end_is_the_end_and_no_error() {
        let (near, far) = pair().unwrap();
        drop(near);
        assert!(receive::<String>(&far).unwrap().is_none());
    }
}
