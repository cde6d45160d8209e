//! What the connections to each peer carry: messages and bytes, each way.
//!
//! A message is what one stream sends at once: a data frame of yamux, at most 64 KiB of ours.
//! Bytes are all inside of the encryption, frame headers and upkeep of the connection included.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;

const HEADER_BYTES: usize = 12;
/// The type of a frame, its second byte, that has content behind its header.
const DATA: u8 = 0;

/// What a link has carried since the oldest of its connections was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub since_unix_us: u64,
    pub received_messages: u64,
    pub received_bytes: u64,
    pub sent_messages: u64,
    pub sent_bytes: u64,
}

#[derive(Debug, Default)]
struct Way {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Way {
    fn add(&self, frames: &mut Frames, bytes: &[u8]) {
        self.messages
            .fetch_add(frames.begun_by(bytes), Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

/// The counters of one peer, shared by its connections.
#[derive(Debug)]
pub(crate) struct Counters {
    since_unix_us: u64,
    received: Way,
    sent: Way,
}

impl Counters {
    fn new() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            since_unix_us: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
            received: Way::default(),
            sent: Way::default(),
        }
    }

    fn read(&self) -> Traffic {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            since_unix_us: self.since_unix_us,
            received_messages: value(&self.received.messages),
            received_bytes: value(&self.received.bytes),
            sent_messages: value(&self.sent.messages),
            sent_bytes: value(&self.sent.bytes),
        }
    }
}

/// The counters of every peer that has a connection: they live as long as it does.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<HashMap<PeerId, Weak<Counters>>>);

impl Links {
    /// Returns the counters of a peer for one more connection to it.
    pub(crate) fn join(&self, peer: PeerId) -> Arc<Counters> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = links.get(&peer).and_then(Weak::upgrade) {
            return counters;
        }
        links.retain(|_, counters| counters.strong_count() > 0);
        let counters = Arc::new(Counters::new());
        links.insert(peer, Arc::downgrade(&counters));
        counters
    }

    pub(crate) fn read(&self) -> Vec<(PeerId, Traffic)> {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .filter_map(|(peer, counters)| Some((*peer, counters.upgrade()?.read())))
            .collect()
    }
}

/// Follows the frames of one direction.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// Bytes of content to come before the next header.
    content: usize,
}

impl Frames {
    /// Returns how many frames with content begin within the next bytes.
    fn begun_by(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0;
        while !bytes.is_empty() {
            if self.content > 0 {
                let skipped = self.content.min(bytes.len());
                self.content -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER_BYTES - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER_BYTES {
                self.filled = 0;
                self.content = self.content_length();
                begun += u64::from(self.content > 0);
            }
        }
        begun
    }

    fn content_length(&self) -> usize {
        let [_, kind, .., a, b, c, d] = self.header;
        if kind == DATA {
            u32::from_be_bytes([a, b, c, d]) as usize
        } else {
            0
        }
    }
}

/// A connection that counts what goes through it.
#[derive(Debug)]
pub(crate) struct Counted<C> {
    inner: C,
    counters: Arc<Counters>,
    received: Frames,
    sent: Frames,
}

impl<C> Counted<C> {
    pub(crate) fn new(inner: C, counters: Arc<Counters>) -> Self {
        Self {
            inner,
            counters,
            received: Frames::default(),
            sent: Frames::default(),
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Counted<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        this.counters
            .received
            .add(&mut this.received, &buffer[..count]);
        Poll::Ready(Ok(count))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Counted<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.counters.sent.add(&mut this.sent, &bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u32, content: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, kind, 0, 0, 0, 0, 0, 1];
        frame.extend(length.to_be_bytes());
        frame.extend(content);
        frame
    }

    /// A window update, a message, a frame that only opens a stream, a ping, a message.
    fn sample() -> Vec<u8> {
        [
            frame(1, 262_144, b""),
            frame(DATA, 5, b"\0\0\0\0\x09"),
            frame(DATA, 0, b""),
            frame(2, 77, b""),
            frame(DATA, 1, b"x"),
        ]
        .concat()
    }

    #[test]
    fn data_frames_with_content_are_messages_however_they_are_cut() {
        let bytes = sample();
        for size in 1..=bytes.len() {
            let mut frames = Frames::default();
            let begun: u64 = bytes.chunks(size).map(|piece| frames.begun_by(piece)).sum();
            assert_eq!(begun, 2, "in pieces of {size}");
            assert_eq!((frames.filled, frames.content), (0, 0));
        }
    }

    #[test]
    fn connections_of_one_peer_share_counters_and_the_last_one_takes_them_along() {
        let (links, peer) = (Links::default(), PeerId::random());
        let one = links.join(peer);
        let two = links.join(peer);
        one.received.add(&mut Frames::default(), &sample());
        two.sent.add(&mut Frames::default(), b"abc");
        drop(one);

        let [(found, traffic)] = links.read().try_into().unwrap();
        assert_eq!(found, peer);
        assert_eq!(traffic.received_messages, 2);
        assert_eq!(traffic.received_bytes, sample().len() as u64);
        assert_eq!((traffic.sent_messages, traffic.sent_bytes), (0, 3));
        assert!(traffic.since_unix_us > 1_700_000_000_000_000);

        drop(two);
        assert_eq!(links.read(), []);
        assert_eq!(links.join(peer).read().received_bytes, 0);
    }

    #[test]
    fn peers_that_have_gone_leave_nothing() {
        let links = Links::default();
        for _ in 0..100 {
            drop(links.join(PeerId::random()));
        }
        assert_eq!(links.0.lock().unwrap().len(), 1);
    }
}
