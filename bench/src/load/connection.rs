//! One connection: a request out, an answer in, never blocking but for the moment of connecting.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use thiserror::Error;

use super::response::{Reader, ResponseError};

/// The request came to nothing.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Network(#[from] std::io::Error),
    #[error("{0}")]
    Response(#[from] ResponseError),
    #[error("the server closed the connection in the middle")]
    Closed,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More will come.
    Waiting,
    /// It is whole.
    Answered(u16),
}

/// A connection to the server under test.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    reader: Reader,
    /// Bytes of the request that the socket has not taken yet begin here.
    unsent: Option<usize>,
}

impl Connection {
    pub(super) fn open(target: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(target)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, reader: Reader::new(), unsent: None })
    }

    /// Whether another request may be sent.
    pub(super) fn keeps_alive(&self) -> bool {
        self.reader.keeps_alive()
    }

    /// Sends a request, as far as the socket takes it; the rest goes when [`Self::receive`] is called next.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.unsent = Some(0);
        self.go_on_sending(request)
    }

    fn go_on_sending(&mut self, request: &[u8]) -> Result<(), Failure> {
        while let Some(sent) = self.unsent {
            let rest = request.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                self.unsent = None;
                break;
            }
            match self.stream.write(rest) {
                Ok(taken) => self.unsent = Some(sent + taken),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there and gives the body's bytes to `body`.
    pub(super) fn receive(
        &mut self,
        request: &[u8],
        buffer: &mut [u8],
        mut body: impl FnMut(&[u8]),
    ) -> Result<Progress, Failure> {
        self.go_on_sending(request)?;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(Failure::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waiting),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if self.reader.read(bytes, &mut body)? {
                return Ok(Progress::Answered(self.reader.status()));
            }
            // A short read has emptied the socket: asking again would cost a call to hear so.
            if count < buffer.len() {
                return Ok(Progress::Waiting);
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
