//! The one queue from a host to its owner, and the eventfd that says it is not empty.
//!
//! Nothing in it grows without bound while it is not drained:
//! - messages are limited in number and bytes, and counted when dropped;
//! - stream bytes are limited by the credit of each stream, and a stream counts against
//!   `max_streams` until its `StreamClosed` was drained;
//! - states of peers are merged beyond `MERGE_ABOVE` (see `merge.rs`);
//! - everything else answers a request of the owner.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::events::{Event, Message};
use crate::merge::{is_state, merge_states};

/// So many states may wait before those of the same peer are merged.
const MERGE_ABOVE: usize = 1024;

pub struct EventQueue {
    inner: Mutex<Inner>,
    ready: OwnedFd,
    max_messages: usize,
    max_message_bytes: usize,
}

struct Inner {
    events: VecDeque<Event>,
    messages: usize,
    message_bytes: usize,
    lost: HashMap<String, u64>,
    states: usize,
    merge_at: usize,
    panic: Option<String>,
}

impl Inner {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lost.is_empty() && self.panic.is_none()
    }
}

impl EventQueue {
    pub fn new(max_messages: usize, max_message_bytes: usize) -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; the descriptor is checked before it is owned.
        let ready = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self {
            inner: Mutex::new(Inner {
                events: VecDeque::new(),
                messages: 0,
                message_bytes: 0,
                lost: HashMap::new(),
                states: 0,
                merge_at: MERGE_ABOVE,
                panic: None,
            }),
            ready,
            max_messages,
            max_message_bytes,
        })
    }

    /// Readable while events wait, and for ever after a panic.
    pub fn fileno(&self) -> RawFd {
        self.ready.as_raw_fd()
    }

    pub fn push(&self, event: Event) {
        let mut inner = self.lock();
        let was_empty = inner.is_empty();
        inner.states += usize::from(is_state(&event));
        inner.events.push_back(event);
        if inner.states >= inner.merge_at {
            merge_states(&mut inner.events);
            inner.states = inner.events.iter().filter(|event| is_state(event)).count();
            inner.merge_at = MERGE_ABOVE.max(inner.states * 2);
        }
        if was_empty {
            self.signal();
        }
    }

    /// Queues a message, or counts it as lost and returns false.
    #[must_use]
    pub fn push_message(&self, message: Message) -> bool {
        let mut inner = self.lock();
        let was_empty = inner.is_empty();
        let bytes = inner.message_bytes + message.data.len();
        let fits = inner.messages < self.max_messages && bytes <= self.max_message_bytes;
        if fits {
            inner.messages += 1;
            inner.message_bytes = bytes;
            inner.events.push_back(Event::Message(message));
        } else {
            *inner.lost.entry(message.topic).or_default() += 1;
        }
        if was_empty {
            self.signal();
        }
        fits
    }

    /// Takes up to `limit` events, and the counts of lost messages before them.
    pub fn drain(&self, limit: usize) -> Result<Vec<Event>, String> {
        let mut inner = self.lock();
        if let Some(text) = &inner.panic {
            return Err(text.clone());
        }
        let count = limit.min(inner.events.len());
        let mut taken = Vec::with_capacity(count + inner.lost.len());
        for (topic, count) in inner.lost.drain() {
            taken.push(Event::MessagesLost { topic, count });
        }
        for _ in 0..count {
            let Some(event) = inner.events.pop_front() else {
                break;
            };
            if let Event::Message(message) = &event {
                inner.messages -= 1;
                inner.message_bytes -= message.data.len();
            }
            inner.states -= usize::from(is_state(&event));
            taken.push(event);
        }
        if inner.is_empty() {
            inner.merge_at = MERGE_ABOVE;
            self.clear_signal();
        }
        Ok(taken)
    }

    /// Records a panic. The first one counts.
    pub fn die(&self, text: String) {
        let mut inner = self.lock();
        inner.panic.get_or_insert(text);
        inner.events.clear();
        self.signal();
    }

    /// The text of the panic, if there was one.
    pub fn panicked(&self) -> Option<String> {
        self.lock().panic.clone()
    }

    /// Waits until events wait; false if the time has passed first.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut poll = libc::pollfd {
            fd: self.fileno(),
            events: libc::POLLIN,
            revents: 0,
        };
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid pollfd, as said by the length.
        unsafe { libc::poll(&raw mut poll, 1, timeout_ms) > 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held leaves the queue whole: each change of it is complete
        // before anything that can fail.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: writes 8 bytes of a live array. It can only fail when the counter is full,
        // and then the descriptor is readable already.
        unsafe { libc::write(self.fileno(), one.as_ptr().cast(), one.len()) };
    }

    fn clear_signal(&self) {
        let mut count = [0u8; 8];
        // SAFETY: reads 8 bytes into a live array. It fails with EAGAIN if not readable: fine.
        unsafe { libc::read(self.fileno(), count.as_mut_ptr().cast(), count.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::PeerId;

    fn message(bytes: usize) -> Message {
        Message {
            topic: "/t".to_owned(),
            message_id: [0; 32],
            data: vec![0; bytes],
            from: PeerId::random(),
            received_unix_us: 0,
        }
    }

    fn is_readable(queue: &EventQueue) -> bool {
        queue.wait(Duration::ZERO)
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_events_wait() {
        let queue = EventQueue::new(10, 10).unwrap();
        assert!(!is_readable(&queue));

        queue.push(Event::StreamEnded { stream: 1 });
        queue.push(Event::StreamEnded { stream: 2 });
        assert!(is_readable(&queue));

        assert_eq!(queue.drain(1).unwrap().len(), 1);
        assert!(is_readable(&queue));
        assert_eq!(queue.drain(9).unwrap().len(), 1);
        assert!(!is_readable(&queue));
    }

    #[test]
    fn messages_beyond_the_number_are_dropped_and_counted() {
        let queue = EventQueue::new(2, 1000).unwrap();

        assert!(queue.push_message(message(1)));
        assert!(queue.push_message(message(1)));
        assert!(!queue.push_message(message(1)));
        assert!(!queue.push_message(message(1)));

        let events = queue.drain(10).unwrap();
        let lost = Event::MessagesLost {
            topic: "/t".to_owned(),
            count: 2,
        };
        assert_eq!(events[0], lost);
        assert_eq!(events.len(), 3);
        assert!(queue.push_message(message(1)), "room is given back");
    }

    #[test]
    fn messages_beyond_the_bytes_are_dropped_and_counted() {
        let queue = EventQueue::new(10, 100).unwrap();

        assert!(queue.push_message(message(100)));
        assert!(!queue.push_message(message(1)));

        assert_eq!(queue.drain(10).unwrap().len(), 2);
        assert!(queue.push_message(message(100)), "room is given back");
    }

    #[test]
    fn states_that_nobody_drains_are_bounded_by_the_peers() {
        let queue = EventQueue::new(10, 100).unwrap();
        let peers: Vec<_> = (0..10).map(|_| PeerId::random()).collect();

        for _ in 0..10_000 {
            for peer in &peers {
                queue.push(Event::Pinged {
                    peer: *peer,
                    round_trip_us: 1,
                });
            }
        }

        assert!(queue.drain(usize::MAX).unwrap().len() <= MERGE_ABOVE);
    }

    #[test]
    fn after_a_panic_it_is_readable_for_ever_and_drains_nothing() {
        let queue = EventQueue::new(10, 100).unwrap();

        queue.die("first".to_owned());
        queue.die("second".to_owned());

        assert_eq!(queue.drain(10), Err("first".to_owned()));
        assert_eq!(queue.drain(10), Err("first".to_owned()));
        assert!(is_readable(&queue));
    }
}
