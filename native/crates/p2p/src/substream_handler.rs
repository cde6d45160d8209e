//! Raw streams on one connection: agreeing on their protocols, out and in.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};

/// How long a peer may take to agree on the protocol of a stream.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    Unreachable,
    NotSupported,
    Reset,
}

/// The protocols peers may open streams of. Shared with every connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted(Arc<Mutex<Vec<StreamProtocol>>>);

impl Accepted {
    /// Returns false if it was accepted already.
    pub(crate) fn insert(&self, protocol: StreamProtocol) -> bool {
        let mut protocols = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !protocols.contains(&protocol);
        if is_new {
            protocols.push(protocol);
        }
        is_new
    }

    pub(crate) fn remove(&self, protocol: &StreamProtocol) {
        let mut protocols = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        protocols.retain(|other| other != protocol);
    }

    fn list(&self) -> Vec<StreamProtocol> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// From the behaviour to one connection: open a stream.
#[derive(Debug)]
pub(crate) struct Request(pub(crate) u64, pub(crate) StreamProtocol);

/// From one connection to the behaviour.
#[derive(Debug)]
pub(crate) enum Report {
    Opened(u64, Result<Stream, OpenError>),
    Incoming(StreamProtocol, Stream),
}

pub(crate) struct Handler {
    accepted: Accepted,
    requests: VecDeque<Request>,
    reports: VecDeque<Report>,
    waker: Option<Waker>,
}

impl Handler {
    pub(crate) fn new(accepted: Accepted) -> Self {
        Self {
            accepted,
            requests: VecDeque::new(),
            reports: VecDeque::new(),
            waker: None,
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = Report;
    type InboundProtocol = AnyOf;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u64;

    fn listen_protocol(&self) -> SubstreamProtocol<AnyOf> {
        SubstreamProtocol::new(AnyOf(self.accepted.list()), ()).with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, u64, Report>> {
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        if let Some(Request(request, protocol)) = self.requests.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(protocol), request)
                    .with_timeout(NEGOTIATION_TIMEOUT),
            });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<AnyOf, Self::OutboundProtocol, (), u64>,
    ) {
        let report = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => Report::Incoming(protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: request,
            }) => Report::Opened(request, Ok(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                info: request,
                error,
            }) => Report::Opened(
                request,
                Err(match error {
                    StreamUpgradeError::NegotiationFailed => OpenError::NotSupported,
                    _ => OpenError::Reset,
                }),
            ),
            _ => return,
        };
        self.reports.push_back(report);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Agrees on any of the protocols and says on which.
#[derive(Debug)]
pub(crate) struct AnyOf(Vec<StreamProtocol>);

impl UpgradeInfo for AnyOf {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, protocol: Self::Info) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
