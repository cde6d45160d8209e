//! The libp2p host of a Logos node.
//!
//! A [`Host`] runs one swarm on its own thread: TCP, Noise, yamux, identify, ping, gossipsub,
//! Kademlia and raw streams. Commands go in through a channel and never wait; what happens comes
//! out through one bounded queue with one eventfd. The Python binding is a thin layer over it.
//!
//! What is not here: any protocol of Logos itself. Who may be dialled, which messages are valid
//! and what streams carry is decided by the owner of the host.

mod behaviour;
mod command;
mod config;
mod discovery;
mod driver;
mod events;
mod fault;
mod gossip;
mod host;
mod identity;
mod isolation;
mod merge;
mod muxer;
mod opening;
mod pump;
mod queue;
mod records;
mod streams;
mod substream_handler;
mod substreams;
mod traffic;

pub use config::{Config, ConfigError, parse_address, parse_peer_id, parse_protocol};
pub use events::{Event, MAX_STREAM_DATA_BYTES, Message, Topic};
pub use gossip::{Verdict, message_id};
pub use host::{Host, HostError};
pub use identity::{KeyType, SECRET_KEY_BYTES, keypair, peer_id_of};
pub use libp2p::identity::Keypair;
pub use libp2p::{Multiaddr, PeerId, StreamProtocol};
pub use traffic::Traffic;
