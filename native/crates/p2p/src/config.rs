//! The configuration of a host.

use std::io;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

/// The longest agent that is sent or reported, in bytes.
pub const MAX_AGENT_BYTES: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("secret key is not a valid key of 32 bytes")]
    SecretKey,
    #[error("not a peer id: {0}")]
    PeerId(String),
    #[error("not an address: {0}")]
    Address(String),
    #[error("not a protocol (it must begin with a slash): {0}")]
    Protocol(String),
    #[error("not a gossip setting: {0}")]
    Gossip(String),
    #[error("secret key cannot be used with noise: {0}")]
    Noise(String),
    #[error("cannot listen at {address}: {source}")]
    Listen {
        address: Multiaddr,
        source: io::Error,
    },
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    #[error("the swarm's thread panicked while it started: {0}")]
    Panicked(String),
}

#[derive(Clone, Debug)]
pub struct Config {
    pub keypair: Keypair,
    pub listen_addresses: Vec<Multiaddr>,
    /// Cut at 256 bytes.
    pub agent: String,
    pub gossip_protocol: StreamProtocol,
    pub kademlia_protocol: StreamProtocol,
    /// Whether this host answers the searches of others.
    pub kademlia_server: bool,
    pub provider_record_ttl: Duration,
    pub provider_publication_interval: Duration,
    pub max_connections: u32,
    pub max_connections_per_peer: u32,
    /// Applies to incoming and to outgoing streams, to each on its own. To and from one peer it
    /// is at most 384, so that no peer takes all of it and no connection runs out of streams.
    pub max_streams: usize,
    pub max_message_bytes: usize,
    pub max_queued_messages: usize,
    pub max_queued_message_bytes: usize,
    pub idle_connection_timeout: Duration,
    /// Whether own messages go to all who follow their topic, and not to this node's mesh alone
    /// as those of others do, by which neighbours tell one from the other.
    pub flood_publish: bool,
    /// If given, only these may connect or be dialled.
    pub allowed_peers: Option<Vec<PeerId>>,
}

impl Config {
    /// The defaults of the Python binding, listening nowhere.
    pub fn new(keypair: Keypair) -> Self {
        Self {
            keypair,
            listen_addresses: Vec::new(),
            agent: "logos".to_owned(),
            gossip_protocol: StreamProtocol::new("/vac/waku/relay/2.0.0"),
            kademlia_protocol: StreamProtocol::new("/logos/kad/1.0.0"),
            kademlia_server: true,
            provider_record_ttl: Duration::from_secs(86_400),
            provider_publication_interval: Duration::from_secs(39_600),
            max_connections: 250,
            max_connections_per_peer: 2,
            max_streams: 1024,
            max_message_bytes: 153_600,
            max_queued_messages: 4096,
            max_queued_message_bytes: 16 << 20,
            idle_connection_timeout: Duration::from_secs(600),
            flood_publish: true,
            allowed_peers: None,
        }
    }
}

pub fn parse_peer_id(text: &str) -> Result<PeerId, ConfigError> {
    text.parse()
        .map_err(|_| ConfigError::PeerId(text.to_owned()))
}

pub fn parse_address(text: &str) -> Result<Multiaddr, ConfigError> {
    text.parse()
        .map_err(|_| ConfigError::Address(text.to_owned()))
}

pub fn parse_protocol(text: &str) -> Result<StreamProtocol, ConfigError> {
    StreamProtocol::try_from_owned(text.to_owned())
        .map_err(|_| ConfigError::Protocol(text.to_owned()))
}

/// Cuts a text at a character border so that it holds at most `limit` bytes.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("a\u{e4}b", 2), "a");
        assert_eq!(cut("a\u{e4}b", 3), "a\u{e4}");
        assert_eq!(cut("ab", 256), "ab");
    }

    #[test]
    fn addresses_peers_and_protocols_that_do_not_parse_are_refused() {
        assert!(parse_peer_id("nobody").is_err());
        assert!(parse_address("127.0.0.1:1").is_err());
        assert!(parse_protocol("no-slash").is_err());
    }
}
