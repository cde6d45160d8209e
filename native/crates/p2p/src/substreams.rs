//! Raw streams by protocol id, as a libp2p behaviour.
//!
//! Every request to open a stream ends with exactly one `Opened`, whatever becomes of the dial
//! or of the connection; every incoming stream of an accepted protocol becomes one `Incoming`.
//! The crate libp2p-stream is not used: it passes incoming streams through a slot for one, so
//! that of several opened at once some are dropped, and it leaves requests open for ever when a
//! dial is refused before it starts.
//!
//! What happens on one connection is in `substream_handler.rs`.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::task::{Context, Poll, Waker};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm,
    NetworkBehaviour, NotifyHandler, PeerAddresses, Stream, StreamProtocol, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, derive_prelude::ConnectionEstablished,
};

use crate::substream_handler::{Accepted, Handler, OpenError, Report, Request};

/// Addresses are remembered of so many peers, ten for each.
const REMEMBERED_PEERS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

#[derive(Debug)]
pub(crate) enum Event {
    Opened {
        request: u64,
        peer: PeerId,
        outcome: Result<(ConnectionId, Stream), OpenError>,
    },
    Incoming {
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
        stream: Stream,
    },
}

struct Wanted {
    request: u64,
    protocol: StreamProtocol,
}

pub(crate) struct Behaviour {
    accepted: Accepted,
    addresses: PeerAddresses,
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    /// Requests that wait for a connection.
    waiting: HashMap<PeerId, Vec<Wanted>>,
    /// Requests given to a connection.
    asked: HashMap<u64, (PeerId, ConnectionId)>,
    actions: VecDeque<ToSwarm<Event, Request>>,
    waker: Option<Waker>,
}

impl Behaviour {
    pub(crate) fn new(accepted: Accepted) -> Self {
        Self {
            accepted,
            addresses: PeerAddresses::new(REMEMBERED_PEERS),
            connections: HashMap::new(),
            waiting: HashMap::new(),
            asked: HashMap::new(),
            actions: VecDeque::new(),
            waker: None,
        }
    }

    /// Asks for a stream, over the oldest connection or a new one.
    pub(crate) fn open(&mut self, request: u64, peer: PeerId, protocol: StreamProtocol) {
        let wanted = Wanted { request, protocol };
        if let Some(connection) = self.connections.get(&peer).and_then(|all| all.first()) {
            self.ask(*connection, peer, wanted);
        } else {
            self.waiting.entry(peer).or_default().push(wanted);
            let opts = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .build();
            self.act(ToSwarm::Dial { opts });
        }
    }

    /// The addresses of a peer that were learnt or given.
    pub(crate) fn addresses(&mut self, peer: &PeerId) -> Vec<Multiaddr> {
        self.addresses.get(peer).collect()
    }

    fn ask(&mut self, connection: ConnectionId, peer: PeerId, wanted: Wanted) {
        self.asked.insert(wanted.request, (peer, connection));
        self.act(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Request(wanted.request, wanted.protocol),
        });
    }

    fn fail(&mut self, request: u64, peer: PeerId, error: OpenError) {
        self.act(ToSwarm::GenerateEvent(Event::Opened {
            request,
            peer,
            outcome: Err(error),
        }));
    }

    fn act(&mut self, action: ToSwarm<Event, Request>) {
        self.actions.push_back(action);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_established(&mut self, peer: PeerId, connection: ConnectionId) {
        self.connections.entry(peer).or_default().push(connection);
        for wanted in self.waiting.remove(&peer).unwrap_or_default() {
            self.ask(connection, peer, wanted);
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(all) = self.connections.get_mut(&peer) {
            all.retain(|other| *other != connection);
            if all.is_empty() {
                self.connections.remove(&peer);
            }
        }
        let lost: Vec<u64> = self
            .asked
            .iter()
            .filter_map(|(request, (_, over))| (*over == connection).then_some(*request))
            .collect();
        for request in lost {
            self.asked.remove(&request);
            self.fail(request, peer, OpenError::Reset);
        }
    }

    fn on_dial_failure(&mut self, peer: PeerId, error: &DialError) {
        // Then another dial goes on, or a connection stands: its own event is still to come.
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        for wanted in self.waiting.remove(&peer).unwrap_or_default() {
            self.fail(wanted.request, peer, OpenError::Unreachable);
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        Ok(peer.map_or_else(Vec::new, |peer| self.addresses(&peer)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::NewExternalAddrOfPeer(new) = &event {
            self.addresses.add(new.peer_id, new.addr.clone());
        }
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            }) => self.on_established(peer_id, connection_id),
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => self.on_closed(peer_id, connection_id),
            FromSwarm::DialFailure(DialFailure {
                peer_id: Some(peer),
                error,
                ..
            }) => self.on_dial_failure(peer, error),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Report::Opened(request, outcome) => {
                self.asked.remove(&request);
                self.act(ToSwarm::GenerateEvent(Event::Opened {
                    request,
                    peer,
                    outcome: outcome.map(|stream| (connection, stream)),
                }));
            }
            Report::Incoming(protocol, stream) => {
                self.act(ToSwarm::GenerateEvent(Event::Incoming {
                    peer,
                    connection,
                    protocol,
                    stream,
                }));
            }
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
