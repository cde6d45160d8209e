//! The streams of a host: who they are, what they may read, what they shall write.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

/// Streams to one peer, and as many from it. Less than half of what yamux allows a connection:
/// beyond that it ends the connection.
pub(crate) const MAX_STREAMS_PER_PEER: usize = 384;

/// What the owner of a stream wants of it. Read by the stream's task.
#[derive(Default)]
pub(crate) struct Wishes {
    /// Bytes that may still come in.
    pub(crate) credit: u64,
    pub(crate) writes: VecDeque<Vec<u8>>,
    pub(crate) close_write: bool,
    pub(crate) reset: bool,
    /// The connection below has ended.
    pub(crate) lost: bool,
}

#[derive(Default)]
pub(crate) struct Control {
    wishes: Mutex<Wishes>,
    pub(crate) waker: AtomicWaker,
}

impl Control {
    pub(crate) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.wishes());
        self.waker.wake();
    }
}

struct Entry {
    control: Arc<Control>,
    connection: ConnectionId,
    direction: Direction,
    peer: PeerId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Incoming,
    Outgoing,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<u64, Entry>,
    places: HashMap<Direction, Places>,
}

/// The places that are taken in one direction.
#[derive(Default)]
struct Places {
    all: usize,
    of_peer: HashMap<PeerId, usize>,
}

impl Places {
    fn take(&mut self, peer: PeerId, max_streams: usize) -> bool {
        let of_peer = self.of_peer.get(&peer).copied().unwrap_or_default();
        let has_room = self.all < max_streams && of_peer < MAX_STREAMS_PER_PEER;
        if has_room {
            self.all += 1;
            self.of_peer.insert(peer, of_peer + 1);
        }
        has_room
    }

    fn give_back(&mut self, peer: PeerId) {
        self.all -= 1;
        if let Some(count) = self.of_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&peer);
            }
        }
    }
}

/// All streams. A stream stays in it until its owner has taken its `StreamClosed`.
pub(crate) struct StreamTable {
    inner: Mutex<Inner>,
    max_streams: usize,
    next_id: AtomicU64,
}

impl StreamTable {
    pub(crate) fn new(max_streams: usize) -> Self {
        Self {
            inner: Mutex::new(Inner::default()),
            max_streams,
            next_id: AtomicU64::new(1),
        }
    }

    /// Takes a place for one more stream, if there is one.
    pub(crate) fn reserve(&self, direction: Direction, peer: PeerId) -> bool {
        let mut inner = self.lock();
        let places = inner.places.entry(direction).or_default();
        places.take(peer, self.max_streams)
    }

    /// Gives back the place of a stream that did not come to be.
    pub(crate) fn release(&self, direction: Direction, peer: PeerId) {
        if let Some(places) = self.lock().places.get_mut(&direction) {
            places.give_back(peer);
        }
    }

    /// Adds a stream for which a place was taken.
    pub(crate) fn add(
        &self,
        connection: ConnectionId,
        direction: Direction,
        peer: PeerId,
    ) -> (u64, Arc<Control>) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let control = Arc::new(Control::default());
        let entry = Entry {
            control: control.clone(),
            connection,
            direction,
            peer,
        };
        self.lock().entries.insert(id, entry);
        (id, control)
    }

    /// Forgets a stream whose `StreamClosed` was taken.
    pub(crate) fn forget(&self, id: u64) {
        let entry = self.lock().entries.remove(&id);
        if let Some(entry) = entry {
            self.release(entry.direction, entry.peer);
        }
    }

    pub(crate) fn connection_lost(&self, connection: ConnectionId) {
        for entry in self.lock().entries.values() {
            if entry.connection == connection {
                entry.control.change(|wishes| wishes.lost = true);
            }
        }
    }

    // A stream may close at any time: commands for a closed one are ignored.

    pub(crate) fn grant(&self, id: u64, count: u64) {
        self.change(id, |wishes| {
            wishes.credit = wishes.credit.saturating_add(count);
        });
    }

    pub(crate) fn write(&self, id: u64, data: Vec<u8>) {
        self.change(id, |wishes| {
            if !wishes.close_write && !data.is_empty() {
                wishes.writes.push_back(data);
            }
        });
    }

    pub(crate) fn close_write(&self, id: u64) {
        self.change(id, |wishes| wishes.close_write = true);
    }

    pub(crate) fn reset(&self, id: u64) {
        self.change(id, |wishes| wishes.reset = true);
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Wishes)) {
        let control = self
            .lock()
            .entries
            .get(&id)
            .map(|entry| entry.control.clone());
        if let Some(control) = control {
            control.change(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(table: &StreamTable, direction: Direction, peer: PeerId) -> (u64, Arc<Control>) {
        table.add(ConnectionId::new_unchecked(1), direction, peer)
    }

    #[test]
    fn each_direction_has_its_own_places() {
        let table = StreamTable::new(1);
        let peer = PeerId::random();

        assert!(table.reserve(Direction::Incoming, peer));
        assert!(!table.reserve(Direction::Incoming, PeerId::random()));
        assert!(table.reserve(Direction::Outgoing, peer));
    }

    #[test]
    fn no_peer_takes_all_places() {
        let table = StreamTable::new(1024);
        let peer = PeerId::random();

        for _ in 0..MAX_STREAMS_PER_PEER {
            assert!(table.reserve(Direction::Incoming, peer));
        }

        assert!(!table.reserve(Direction::Incoming, peer));
        assert!(table.reserve(Direction::Incoming, PeerId::random()));
        table.release(Direction::Incoming, peer);
        assert!(table.reserve(Direction::Incoming, peer));
    }

    #[test]
    fn a_place_is_free_again_when_the_stream_is_forgotten() {
        let table = StreamTable::new(1);
        let peer = PeerId::random();
        assert!(table.reserve(Direction::Incoming, peer));
        let (id, _) = add(&table, Direction::Incoming, peer);

        table.forget(id);
        table.forget(id);

        assert!(table.reserve(Direction::Incoming, peer));
        assert!(!table.reserve(Direction::Incoming, peer));
    }

    #[test]
    fn nothing_is_queued_after_the_close() {
        let table = StreamTable::new(1);
        let peer = PeerId::random();
        assert!(table.reserve(Direction::Outgoing, peer));
        let (id, control) = add(&table, Direction::Outgoing, peer);

        table.write(id, vec![1]);
        table.close_write(id);
        table.write(id, vec![2]);

        assert_eq!(control.wishes().writes, [vec![1]]);
    }
}
