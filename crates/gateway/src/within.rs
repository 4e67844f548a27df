//! Model calls that this process makes itself, for agents: they go down the same column as everybody's, from the second
//! phase on, without a network in between.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use seawall_llm_client::Upstream;
use seawall_types::{RunId, Usd};
use tokio::sync::watch;

use crate::accepted::Accepted;
use crate::{Caller, Gateway, GatewayBody, header, phase};

/// A call that this process makes itself.
#[derive(Debug, Clone)]
pub struct OwnCall {
    /// On whose behalf; nobody is asked for a key.
    pub caller: Arc<Caller>,
    /// The run that it counts for.
    pub run: RunId,
    /// Who alone is asked. `None`: whom the configuration says.
    pub upstream: Option<Arc<Upstream>>,
    /// Is told what the call has cost, when that is settled: a moment after the answer's body has ended or was dropped. Dropped
    /// where the call was never admitted.
    pub cost: watch::Sender<Option<Usd>>,
}

/// What is known of an own call on its way down the column.
#[derive(Debug)]
pub(crate) struct Within {
    pub(crate) caller: Arc<Caller>,
    pub(crate) upstream: Option<Arc<Upstream>>,
    pub(crate) cost: watch::Sender<Option<Usd>>,
}

/// The body of a request, from the network or from here.
#[derive(Debug)]
pub enum RequestBody {
    /// From the network.
    Network(Incoming),
    /// From here.
    Here(Option<Bytes>),
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        Self::Network(body)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Network(body) => Pin::new(body).poll_frame(context),
            Self::Here(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Network(body) => body.size_hint(),
            Self::Here(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

impl Gateway {
    /// Answers a request of this process's own, as [`handle`](Self::handle) answers those of others: admitted, inspected,
    /// paid for and traced.
    pub async fn call(
        self: &Arc<Self>,
        worker: usize,
        own: OwnCall,
        request: Request<Bytes>,
    ) -> Response<GatewayBody> {
        let snapshot = self.snapshot();
        let (parts, body) = request.into_parts();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut accepted = phase::accept(self, &snapshot, here, parts);
        accepted.run = own.run;
        accepted.within = Some(Within { caller: own.caller, upstream: own.upstream, cost: own.cost });
        let mut response = self.serve(worker, &snapshot, accepted, RequestBody::Here(Some(body))).await;
        header::put(response.headers_mut(), header::RUN, own.run.to_string());
        response
    }
}

impl Accepted {
    /// Who makes the call, if this process does.
    pub(crate) fn own_caller(&self) -> Option<&Arc<Caller>> {
        self.within.as_ref().map(|within| &within.caller)
    }

    /// Whom alone this process wants asked.
    pub(crate) fn own_upstream(&self) -> Option<&Arc<Upstream>> {
        self.within.as_ref().and_then(|within| within.upstream.as_ref())
    }

    /// Tells this process what its call has cost.
    pub(crate) fn tell_cost(&self, cost: Usd) {
        if let Some(within) = &self.within {
            within.cost.send_replace(Some(cost));
        }
    }
}
