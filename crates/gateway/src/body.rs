//! The body of an answer to a client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::pump::Pump;
use crate::through::{BrokenAnswer, Through};
use crate::tunnel::Tunnel;

/// What goes to the client: a whole body, a stream of events that is metered, or bytes passed through.
#[derive(Debug)]
pub enum GatewayBody {
    /// A whole body.
    Full(Option<Bytes>),
    /// A stream of events.
    Events(Option<Box<Pump>>),
    /// Bytes as they come.
    Through(Option<Box<Through>>),
    /// What a server of tools says.
    Mcp(Box<seawall_mcp::Body>),
    /// Nothing: after this answer the connection is a websocket.
    Tunnel(Option<Box<Tunnel>>),
}

impl GatewayBody {
    /// A body of these bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Full((!bytes.is_empty()).then_some(bytes))
    }

    /// When the call behind it must be over. It sees to that by itself whenever it is asked for more; a client that takes
    /// nothing keeps everybody from asking.
    #[must_use]
    pub fn ends_at(&self) -> Option<Instant> {
        match self {
            Self::Events(pump) => pump.as_ref().map(|pump| pump.ends_at()),
            Self::Through(through) => through.as_ref().map(|through| through.ends_at()),
            Self::Full(_) | Self::Mcp(_) | Self::Tunnel(_) => None,
        }
    }

    /// What is to be run on the connection once the answer has gone out.
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        match self {
            Self::Tunnel(tunnel) => tunnel.take(),
            Self::Full(_) | Self::Events(_) | Self::Through(_) | Self::Mcp(_) => None,
        }
    }
}

impl Drop for GatewayBody {
    /// The client has everything, or has gone.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        match self {
            Self::Full(_) | Self::Mcp(_) | Self::Tunnel(_) => {}
            Self::Events(pump) => pump.take().into_iter().for_each(Pump::leave),
            Self::Through(through) => through.take().into_iter().for_each(Through::leave),
        }
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(Some(pump)) => {
                pump.poll(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Through(Some(through)) => through.poll(context),
            Self::Mcp(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Events(None) | Self::Through(None) | Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Tunnel(_) => true,
            Self::Mcp(body) => body.is_end_stream(),
            Self::Events(_) | Self::Through(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Tunnel(_) => SizeHint::with_exact(0),
            Self::Mcp(body) => body.size_hint(),
            Self::Events(_) | Self::Through(_) => SizeHint::default(),
        }
    }
}
