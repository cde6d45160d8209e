//! The behaviours of a host, put together.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::io::BufReader;
use libp2p::allow_block_list::{self, AllowedPeers, BlockedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Multiaddr, Swarm, Transport as _, TransportError, identify, noise, ping, swarm, tcp};

use crate::config::{Config, ConfigError, MAX_AGENT_BYTES, cut};
use crate::fault::Fault;
use crate::substream_handler::Accepted;
use crate::traffic::Links;
use crate::{discovery, gossip, isolation, muxer, substreams};

/// What hosts say their protocol family is. Peers do not compare it.
const PROTOCOL_VERSION: &str = "logos/1.0.0";
/// TCP, Noise and yamux must stand within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams of one connection that are agreed upon at the same time. More are dropped.
const MAX_NEGOTIATING_STREAMS: usize = 512;
/// Commands and events between the swarm and one connection.
const CONNECTION_BUFFER: usize = 64;

/// What one read takes from a socket at most. Noise alone would read 8 KiB at a time.
const READ_BUFFER_BYTES: usize = 64 * 1024;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // The lists and the limits come first: what they refuse, the others never see.
    pub(crate) isolation: isolation::Behaviour,
    pub(crate) blocked: allow_block_list::Behaviour<BlockedPeers>,
    allowed: Toggle<allow_block_list::Behaviour<AllowedPeers>>,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    pub(crate) kad: discovery::Behaviour,
    pub(crate) substreams: substreams::Behaviour,
}

impl Behaviour {
    fn new(config: &Config, accepted: Accepted) -> Result<Self, ConfigError> {
        Ok(Self {
            isolation: isolation::Behaviour::default(),
            blocked: allow_block_list::Behaviour::default(),
            allowed: Toggle::from(config.allowed_peers.as_ref().map(|peers| {
                let mut allowed = allow_block_list::Behaviour::default();
                for peer in peers {
                    allowed.allow_peer(*peer);
                }
                allowed
            })),
            limits: connection_limits::Behaviour::new(
                ConnectionLimits::default()
                    .with_max_established(Some(config.max_connections))
                    .with_max_established_per_peer(Some(config.max_connections_per_peer))
                    .with_max_pending_incoming(Some(config.max_connections))
                    .with_max_pending_outgoing(Some(config.max_connections)),
            ),
            identify: identify::Behaviour::new(
                identify::Config::new(PROTOCOL_VERSION.to_owned(), config.keypair.public())
                    .with_agent_version(cut(&config.agent, MAX_AGENT_BYTES).to_owned())
                    .with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::default(),
            gossip: gossip::behaviour(config)?,
            kad: discovery::behaviour(config),
            substreams: substreams::Behaviour::new(accepted),
        })
    }
}

/// Builds the swarm, and listens. Must run on the runtime that will poll it.
pub(crate) fn swarm(
    config: &Config,
    accepted: Accepted,
    links: Arc<Links>,
    fault: Fault,
) -> Result<Swarm<Behaviour>, ConfigError> {
    let noise = noise::Config::new(&config.keypair)
        .map_err(|error| ConfigError::Noise(error.to_string()))?;
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(|socket, _| BufReader::with_capacity(READ_BUFFER_BYTES, socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex_ext(move |peer, _| muxer::Upgrade {
            counters: links.join(*peer),
        })
        .timeout(CONNECT_TIMEOUT)
        .boxed();
    let settings = swarm::Config::with_executor(move |task| fault.spawn(task))
        .with_idle_connection_timeout(config.idle_connection_timeout)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS)
        .with_notify_handler_buffer_size(const { NonZeroUsize::new(CONNECTION_BUFFER).unwrap() })
        .with_per_connection_event_buffer_size(CONNECTION_BUFFER);
    let local = config.keypair.public().to_peer_id();
    let behaviour = Behaviour::new(config, accepted)?;
    let mut swarm = Swarm::new(transport, behaviour, local, settings);
    for address in &config.listen_addresses {
        listen(&mut swarm, address).map_err(|source| ConfigError::Listen {
            address: address.clone(),
            source,
        })?;
    }
    Ok(swarm)
}

fn listen(swarm: &mut Swarm<Behaviour>, address: &Multiaddr) -> io::Result<()> {
    // libp2p shares its ports (SO_REUSEPORT): of two hosts at one port each would get some of
    // the connections, and neither an error. So it is tried without sharing first.
    if let Some(wanted) = socket_address(address) {
        drop(TcpListener::bind(wanted)?);
    }
    swarm
        .listen_on(address.clone())
        .map(|_| ())
        .map_err(|error| match error {
            TransportError::Other(error) => error,
            TransportError::MultiaddrNotSupported(_) => io::Error::new(
                io::ErrorKind::Unsupported,
                "this kind of address is not supported",
            ),
        })
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let host: IpAddr = match parts.next()? {
        Protocol::Ip4(host) => host.into(),
        Protocol::Ip6(host) => host.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(host, port)),
        _ => None,
    }
}
