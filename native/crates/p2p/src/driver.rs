//! The loop of the swarm's thread: commands in, events out.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId};
use libp2p::kad::RecordKey;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, kad, ping};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::command::Command;
use crate::config::{MAX_AGENT_BYTES, cut};
use crate::discovery::{self, Searches};
use crate::events::{Event, MAX_CLAIMS, Message};
use crate::gossip;
use crate::opening::Openings;
use crate::queue::EventQueue;
use crate::streams::StreamTable;

/// Commands obeyed before the swarm gets a turn.
const COMMANDS_PER_TURN: usize = 64;
/// How long peers are given to see the end of their connections.
const GOODBYE: Duration = Duration::from_millis(500);

pub(crate) struct Driver {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) events: Arc<EventQueue>,
    pub(crate) streams: Arc<StreamTable>,
    pub(crate) openings: Openings,
    pub(crate) kademlia_protocol: StreamProtocol,
    pub(crate) max_message_bytes: usize,
    pub(crate) dials: HashMap<ConnectionId, u64>,
    pub(crate) searches: Searches,
}

impl Driver {
    /// Runs until `stop` is notified, or until the host is gone.
    pub(crate) async fn run(mut self, mut commands: UnboundedReceiver<Command>, stop: &Notify) {
        loop {
            tokio::select! {
                () = stop.notified() => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                command = commands.recv() => {
                    let Some(command) = command else { break };
                    self.obey(command);
                    for _ in 1..COMMANDS_PER_TURN {
                        let Ok(command) = commands.try_recv() else { break };
                        self.obey(command);
                    }
                }
            }
        }
        let _ = timeout(GOODBYE, self.say_goodbye()).await;
    }

    fn disconnect_all(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    async fn say_goodbye(&mut self) {
        self.disconnect_all();
        while self.swarm.network_info().num_peers() > 0 {
            self.swarm.select_next_some().await;
        }
    }

    fn isolate(&mut self, is_on: bool) {
        self.swarm.behaviour_mut().isolation.is_on = is_on;
        if is_on {
            self.disconnect_all();
        }
    }

    fn obey(&mut self, command: Command) {
        let behaviour = self.swarm.behaviour_mut();
        match command {
            Command::Dial { request, address } => self.dial(request, address),
            Command::Disconnect(peer) => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::AddAddress(peer, address) => self.add_address(peer, address),
            Command::Ban(peer) => {
                behaviour.blocked.block_peer(peer);
                behaviour.kad.remove_peer(&peer);
            }
            Command::Unban(peer) => {
                behaviour.blocked.unblock_peer(peer);
            }
            Command::Isolate(is_on) => self.isolate(is_on),
            Command::Ping(peer) => {
                if self.swarm.is_connected(&peer) {
                    self.openings.ping(&mut self.swarm, peer);
                }
            }
            Command::Subscribe(topic) => gossip::subscribe(&mut behaviour.gossip, &topic),
            Command::Unsubscribe(topic) => {
                behaviour.gossip.unsubscribe(&IdentTopic::new(topic));
            }
            Command::Publish {
                request,
                topic,
                data,
            } => {
                let limit = self.max_message_bytes;
                let outcome = gossip::publish(&mut behaviour.gossip, &topic, data, limit);
                self.events.push(Event::PublishDone {
                    request,
                    error: outcome.err(),
                });
            }
            Command::ListTopics { request } => {
                let topics = gossip::topics(&behaviour.gossip);
                self.events.push(Event::TopicsListed { request, topics });
            }
            Command::Judge {
                message_id,
                from,
                verdict,
            } => self.judge(&message_id, &from, verdict.into()),
            Command::Provide { request, key } => {
                let kad = &mut behaviour.kad;
                self.searches.provide(kad, &self.events, request, &key);
            }
            Command::StopProviding { key } => {
                behaviour.kad.stop_providing(&RecordKey::new(&key));
            }
            Command::FindProviders { request, key } => {
                self.searches.find(&mut behaviour.kad, request, &key);
            }
            Command::Bootstrap => {
                // Without a known peer there is nothing to refresh.
                let _ = behaviour.kad.bootstrap();
            }
            Command::OpenStream {
                request,
                peer,
                protocol,
            } => self.openings.open(&mut self.swarm, request, peer, protocol),
            Command::Panic => panic!("panic_for_test was called"),
        }
    }

    fn dial(&mut self, request: u64, address: Multiaddr) {
        let peer = match address.iter().last() {
            Some(Protocol::P2p(peer)) => Some(peer),
            _ => None,
        };
        if let Some(peer) = peer.filter(|peer| self.swarm.is_connected(peer)) {
            let outcome = Ok(peer);
            return self.events.push(Event::DialDone { request, outcome });
        }
        let opts = match peer {
            Some(peer) => DialOpts::peer_id(peer)
                .addresses(vec![address])
                .condition(PeerCondition::Always)
                .build(),
            None => DialOpts::unknown_peer_id().address(address).build(),
        };
        self.dials.insert(opts.connection_id(), request);
        let connection = opts.connection_id();
        if let Err(error) = self.swarm.dial(opts) {
            self.dial_failed(connection, &error);
        }
    }

    fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        if let Some(request) = self.dials.remove(&connection) {
            let outcome = Err(dial_error_text(error));
            self.events.push(Event::DialDone { request, outcome });
        }
    }

    fn add_address(&mut self, peer: PeerId, address: Multiaddr) {
        self.swarm.add_peer_address(peer, address.clone());
        self.swarm.behaviour_mut().kad.add_address(&peer, address);
    }

    fn judge(&mut self, message_id: &[u8], from: &PeerId, acceptance: MessageAcceptance) {
        let id = MessageId::new(message_id);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&id, from, acceptance);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::NewListenAddr { address, .. } => {
                self.events.push(Event::Listening { address });
            }
            SwarmEvent::ConnectionEstablished {
                peer_id: peer,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                self.events.push(Event::Connected {
                    peer,
                    address: endpoint.get_remote_address().clone(),
                    outbound: endpoint.is_dialer(),
                    connections: num_established.get(),
                });
                if let Some(request) = self.dials.remove(&connection_id) {
                    let outcome = Ok(peer);
                    self.events.push(Event::DialDone { request, outcome });
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id: peer,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                self.streams.connection_lost(connection_id);
                self.events.push(Event::Disconnected {
                    peer,
                    connections: num_established,
                    reason: cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string()),
                });
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => self.dial_failed(connection_id, &error),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.on_message(propagation_source, &message_id, message),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(round_trip),
                ..
            }) => self.events.push(pinged(peer, round_trip)),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result,
                stats,
                step,
            }) => {
                let events = &self.events;
                if let Some((request, peers)) = self
                    .searches
                    .progress(events, id, result, &stats, step.last)
                {
                    self.on_providers(request, peers, step.last);
                }
            }
            BehaviourEvent::Substreams(event) => self.openings.on_event(event),
            _ => {}
        }
    }

    fn on_message(&mut self, from: PeerId, id: &MessageId, message: gossipsub::Message) {
        if message.data.len() > self.max_message_bytes {
            return self.judge(&id.0, &from, MessageAcceptance::Reject);
        }
        let Ok(message_id) = <[u8; 32]>::try_from(id.0.as_slice()) else {
            return self.judge(&id.0, &from, MessageAcceptance::Ignore);
        };
        let fits = self.events.push_message(Message {
            topic: message.topic.into_string(),
            message_id,
            data: message.data,
            from,
            received_unix_us: unix_us(),
        });
        if !fits {
            self.judge(&message_id, &from, MessageAcceptance::Ignore);
        }
    }

    fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        let addresses: Vec<_> = info.listen_addrs.into_iter().take(MAX_CLAIMS).collect();
        if info.protocols.contains(&self.kademlia_protocol) {
            let kad = &mut self.swarm.behaviour_mut().kad;
            for address in &addresses {
                kad.add_address(&peer, address.clone());
            }
        }
        self.events.push(Event::Identified {
            peer,
            agent: cut(&info.agent_version, MAX_AGENT_BYTES).to_owned(),
            protocols: info
                .protocols
                .iter()
                .take(MAX_CLAIMS)
                .map(ToString::to_string)
                .collect(),
            listen_addresses: addresses,
        });
    }

    fn on_providers(&mut self, request: u64, peers: Vec<PeerId>, done: bool) {
        let mut providers = Vec::with_capacity(peers.len());
        for peer in peers {
            let behaviour = self.swarm.behaviour_mut();
            let mut known = discovery::addresses(&mut behaviour.kad, peer);
            known.extend(behaviour.substreams.addresses(&peer));
            known.sort_unstable();
            known.dedup();
            known.truncate(MAX_CLAIMS);
            // A search forgets them; streams to the provider need them.
            for address in &known {
                self.swarm.add_peer_address(peer, address.clone());
            }
            providers.push((peer, known));
        }
        self.events.push(Event::ProvidersFound {
            request,
            providers,
            done,
        });
    }
}

pub(crate) fn pinged(peer: PeerId, round_trip: Duration) -> Event {
    Event::Pinged {
        peer,
        round_trip_us: u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX),
    }
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// What went wrong with a dial, with its causes.
fn dial_error_text(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => "this is the host itself".to_owned(),
        DialError::WrongPeerId { obtained, .. } => format!("wrong peer id: it is {obtained}"),
        DialError::NoAddresses => "no address that could be dialled".to_owned(),
        DialError::Denied { cause } => {
            let mut text = "refused".to_owned();
            let mut cause = cause.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        }
        other => other.to_string(),
    }
}
