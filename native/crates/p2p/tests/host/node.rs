//! A host under test: keeps drained events until a test asks for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use logos_p2p::{Config, Event, Host, KeyType, Multiaddr, PeerId, StreamProtocol, keypair};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/test/1");

static NEXT_SECRET: AtomicU8 = AtomicU8::new(1);

pub struct Node {
    pub host: Host,
    pub address: Multiaddr,
    waiting: VecDeque<Event>,
}

/// The configuration of a host with a key of its own, on a free port of loopback.
pub fn config() -> Config {
    let secret = NEXT_SECRET.fetch_add(1, Ordering::Relaxed);
    Config {
        listen_addresses: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        ..Config::new(keypair(&[secret; 32], KeyType::Secp256k1).unwrap())
    }
}

impl Node {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        let mut node = Self {
            host: Host::start(config).unwrap(),
            address: Multiaddr::empty(),
            waiting: VecDeque::new(),
        };
        node.address = node.until(|event| match event {
            Event::Listening { address } => Some(address.clone()),
            _ => None,
        });
        node
    }

    pub fn peer(&self) -> PeerId {
        self.host.peer_id()
    }

    /// Waits for the first event that is chosen, and takes it out; others stay.
    pub fn until<T>(&mut self, choose: impl FnMut(&Event) -> Option<T>) -> T {
        self.within(PATIENCE, choose)
            .expect("the event comes in time")
    }

    /// The same, but None if it does not come in a given time.
    pub fn within<T>(
        &mut self,
        time: Duration,
        mut choose: impl FnMut(&Event) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + time;
        let mut seen = 0;
        loop {
            for at in seen..self.waiting.len() {
                if let Some(chosen) = choose(&self.waiting[at]) {
                    self.waiting.remove(at);
                    return Some(chosen);
                }
            }
            seen = self.waiting.len();
            let rest = end.checked_duration_since(Instant::now())?;
            if self.host.wait(rest) {
                self.waiting.extend(self.host.drain(usize::MAX).unwrap());
            }
        }
    }

    pub fn dial(&mut self, address: Multiaddr) -> Result<PeerId, String> {
        let asked = self.host.dial(address).unwrap();
        self.until(|event| match event {
            Event::DialDone { request, outcome } if *request == asked => Some(outcome.clone()),
            _ => None,
        })
    }

    /// Connects to another node, and waits until each knows what the other speaks.
    pub fn connect(&mut self, other: &mut Self) {
        self.dial(other.address.clone()).unwrap();
        self.identified(other.peer());
        other.identified(self.peer());
    }

    pub fn identified(&mut self, who: PeerId) -> Event {
        self.until(|event| match event {
            Event::Identified { peer, .. } if *peer == who => Some(event.clone()),
            _ => None,
        })
    }

    pub fn open(&mut self, peer: PeerId, protocol: StreamProtocol) -> Result<u64, &'static str> {
        let asked = self.host.open_stream(peer, protocol).unwrap();
        self.until(|event| match event {
            Event::StreamOpened { request, outcome } if *request == asked => Some(*outcome),
            _ => None,
        })
    }

    pub fn incoming(&mut self) -> u64 {
        self.until(|event| match event {
            Event::StreamIncoming { stream, .. } => Some(*stream),
            _ => None,
        })
    }

    pub fn closed(&mut self, id: u64) -> Option<&'static str> {
        self.until(|event| match event {
            Event::StreamClosed { stream, error } if *stream == id => Some(*error),
            _ => None,
        })
    }

    pub fn ended(&mut self, id: u64) {
        self.until(|event| {
            matches!(event, Event::StreamEnded { stream } if *stream == id).then_some(())
        });
    }

    /// Takes bytes of a stream until there are `count`, or until nothing comes for a while.
    pub fn read(&mut self, id: u64, count: usize, patience: Duration) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            let next = self.within(patience, |event| match event {
                Event::StreamData { stream, data } if *stream == id => Some(data.clone()),
                _ => None,
            });
            let Some(next) = next else { break };
            all.extend(next);
        }
        all
    }
}

/// Two nodes with a stream between them: the opener and its id, the other and its id.
pub fn stream() -> (Node, u64, Node, u64) {
    let (mut opener, mut other) = (Node::new(), Node::new());
    other.host.accept_streams(PROTOCOL).unwrap();
    opener.connect(&mut other);
    let out = opener.open(other.peer(), PROTOCOL).unwrap();
    let id = other.incoming();
    (opener, out, other, id)
}
