//! The events of a host for its owner.

use libp2p::{Multiaddr, PeerId};

/// The most bytes of one `StreamData`.
pub const MAX_STREAM_DATA_BYTES: usize = 256 * 1024;

/// The most listen addresses, and the most protocols, that are passed on of what a peer claims.
pub const MAX_CLAIMS: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub topic: String,
    /// sha256 of the data.
    pub message_id: [u8; 32],
    pub data: Vec<u8>,
    pub from: PeerId,
    pub received_unix_us: u64,
}

/// A topic that this node follows, and its peers there.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    pub topic: String,
    /// Those that follow it, with their scores.
    pub followers: Vec<(PeerId, f64)>,
    /// Of these, those that messages are passed on to at once.
    pub mesh: Vec<PeerId>,
}

/// See the Python stub `logos_native.pyi`, which says what each of them promises.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Listening {
        address: Multiaddr,
    },
    Connected {
        peer: PeerId,
        address: Multiaddr,
        outbound: bool,
        connections: u32,
    },
    Disconnected {
        peer: PeerId,
        connections: u32,
        reason: String,
    },
    DialDone {
        request: u64,
        outcome: Result<PeerId, String>,
    },
    Identified {
        peer: PeerId,
        agent: String,
        protocols: Vec<String>,
        listen_addresses: Vec<Multiaddr>,
    },
    Pinged {
        peer: PeerId,
        round_trip_us: u64,
    },
    Message(Message),
    MessagesLost {
        topic: String,
        count: u64,
    },
    PublishDone {
        request: u64,
        error: Option<String>,
    },
    TopicsListed {
        request: u64,
        topics: Vec<Topic>,
    },
    ProvidersFound {
        request: u64,
        providers: Vec<(PeerId, Vec<Multiaddr>)>,
        done: bool,
    },
    ProvideDone {
        request: u64,
        error: Option<String>,
    },
    StreamOpened {
        request: u64,
        outcome: Result<u64, &'static str>,
    },
    StreamIncoming {
        stream: u64,
        peer: PeerId,
        protocol: String,
    },
    StreamData {
        stream: u64,
        data: Vec<u8>,
    },
    StreamWritten {
        stream: u64,
        count: u64,
    },
    StreamEnded {
        stream: u64,
    },
    StreamClosed {
        stream: u64,
        error: Option<&'static str>,
    },
}
