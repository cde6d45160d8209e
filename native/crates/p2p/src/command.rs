//! What the owner of a host asks of its swarm.

use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::gossip::Verdict;

pub(crate) enum Command {
    Dial {
        request: u64,
        address: Multiaddr,
    },
    Disconnect(PeerId),
    AddAddress(PeerId, Multiaddr),
    Ban(PeerId),
    Unban(PeerId),
    Isolate(bool),
    Ping(PeerId),
    Subscribe(String),
    Unsubscribe(String),
    Publish {
        request: u64,
        topic: String,
        data: Vec<u8>,
    },
    ListTopics {
        request: u64,
    },
    Judge {
        message_id: [u8; 32],
        from: PeerId,
        verdict: Verdict,
    },
    Provide {
        request: u64,
        key: Vec<u8>,
    },
    StopProviding {
        key: Vec<u8>,
    },
    FindProviders {
        request: u64,
        key: Vec<u8>,
    },
    Bootstrap,
    OpenStream {
        request: u64,
        peer: PeerId,
        protocol: StreamProtocol,
    },
    Panic,
}
