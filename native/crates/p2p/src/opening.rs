//! Streams on their way in or out, until their tasks run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::swarm::{ConnectionId, Stream};
use libp2p::{PeerId, StreamProtocol, Swarm, ping};
use sha2::{Digest as _, Sha256};

use crate::behaviour::Behaviour;
use crate::driver::pinged;
use crate::events::Event;
use crate::fault::Fault;
use crate::pump::Pump;
use crate::queue::EventQueue;
use crate::streams::{Direction, StreamTable};
use crate::substream_handler::OpenError;
use crate::substreams::Event as SubstreamEvent;

/// What a requested stream is for.
enum Purpose {
    /// The owner's request.
    Stream(u64),
    Ping,
}

pub(crate) struct Openings {
    events: Arc<EventQueue>,
    streams: Arc<StreamTable>,
    fault: Fault,
    purposes: HashMap<u64, Purpose>,
    next: u64,
}

impl Openings {
    pub(crate) fn new(events: Arc<EventQueue>, streams: Arc<StreamTable>, fault: Fault) -> Self {
        Self {
            events,
            streams,
            fault,
            purposes: HashMap::new(),
            next: 0,
        }
    }

    pub(crate) fn open(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
        request: u64,
        peer: PeerId,
        protocol: StreamProtocol,
    ) {
        if swarm.behaviour().blocked.blocked_peers().contains(&peer) {
            self.opened(request, Err("banned"));
        } else if !self.streams.reserve(Direction::Outgoing, peer) {
            self.opened(request, Err("too_many"));
        } else {
            self.ask(swarm, peer, protocol, Purpose::Stream(request));
        }
    }

    pub(crate) fn ping(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId) {
        self.ask(swarm, peer, ping::PROTOCOL_NAME, Purpose::Ping);
    }

    fn ask(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
        peer: PeerId,
        protocol: StreamProtocol,
        purpose: Purpose,
    ) {
        self.next += 1;
        self.purposes.insert(self.next, purpose);
        let substreams = &mut swarm.behaviour_mut().substreams;
        substreams.open(self.next, peer, protocol);
    }

    pub(crate) fn on_event(&mut self, event: SubstreamEvent) {
        match event {
            SubstreamEvent::Incoming {
                peer,
                connection,
                protocol,
                stream,
            } => self.on_incoming(peer, connection, &protocol, stream),
            SubstreamEvent::Opened {
                request,
                peer,
                outcome,
            } => match (self.purposes.remove(&request), outcome) {
                (Some(Purpose::Stream(request)), outcome) => {
                    self.on_opened(request, peer, outcome);
                }
                (Some(Purpose::Ping), Ok((_, stream))) => {
                    self.fault
                        .spawn(ping_once(stream, peer, self.events.clone()));
                }
                _ => {}
            },
        }
    }

    fn on_incoming(
        &self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: &StreamProtocol,
        stream: Stream,
    ) {
        if !self.streams.reserve(Direction::Incoming, peer) {
            // Dropping it resets it.
            return;
        }
        let (id, control) = self.streams.add(connection, Direction::Incoming, peer);
        self.events.push(Event::StreamIncoming {
            stream: id,
            peer,
            protocol: protocol.to_string(),
        });
        let pump = Pump::new(id, stream, control, self.events.clone());
        self.fault.spawn(pump.run());
    }

    fn on_opened(
        &self,
        request: u64,
        peer: PeerId,
        outcome: Result<(ConnectionId, Stream), OpenError>,
    ) {
        match outcome {
            Ok((connection, stream)) => {
                let (id, control) = self.streams.add(connection, Direction::Outgoing, peer);
                self.opened(request, Ok(id));
                let pump = Pump::new(id, stream, control, self.events.clone());
                self.fault.spawn(pump.run());
            }
            Err(error) => {
                self.streams.release(Direction::Outgoing, peer);
                self.opened(
                    request,
                    Err(match error {
                        OpenError::Unreachable => "unreachable",
                        OpenError::NotSupported => "not_supported",
                        OpenError::Reset => "reset",
                    }),
                );
            }
        }
    }

    fn opened(&self, request: u64, outcome: Result<u64, &'static str>) {
        self.events.push(Event::StreamOpened { request, outcome });
    }
}

/// One round trip of the ping protocol of libp2p: 32 bytes there, the same back.
async fn ping_once(mut stream: Stream, peer: PeerId, events: Arc<EventQueue>) {
    stream.ignore_for_keep_alive();
    let began = Instant::now();
    // The bytes need only differ from ping to ping.
    let payload: [u8; 32] = Sha256::digest(format!("{began:?}")).into();
    let mut echo = [0; 32];
    let round_trip = async {
        stream.write_all(&payload).await?;
        stream.flush().await?;
        stream.read_exact(&mut echo).await
    };
    if round_trip.await.is_ok() && echo == payload {
        events.push(pinged(peer, began.elapsed()));
    }
}
