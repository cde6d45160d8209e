//! Merging of peers' states that have not been taken yet.
//!
//! Of one peer at most one connection event, one `Identified` and one `Pinged` remain: the last
//! ones. If a peer has as many connections after them as before, the owner need not hear of
//! them at all. So what waits is bounded by the peers the owner believes to be connected, plus
//! those that are.

use std::collections::{HashMap, HashSet, VecDeque};

use libp2p::PeerId;

use crate::events::Event;

/// Whether an event is the state of a peer, and can thus replace an older one.
pub(crate) fn is_state(event: &Event) -> bool {
    matches!(
        event,
        Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Identified { .. }
            | Event::Pinged { .. }
    )
}

/// Connections to a peer before the first and after the last of its events.
struct Net {
    before: u32,
    after: u32,
}

pub(crate) fn merge_states(events: &mut VecDeque<Event>) {
    let nets = nets(events);
    let mut seen: HashSet<(PeerId, u8)> = HashSet::new();
    let mut kept = VecDeque::with_capacity(events.len());
    // Backwards, so that the last of each kind stays.
    while let Some(event) = events.pop_back() {
        let net = |peer: &PeerId| nets.get(peer);
        let keep = match &event {
            Event::Connected { peer, .. } | Event::Disconnected { peer, .. } => {
                net(peer).is_none_or(|net| net.before != net.after) && seen.insert((*peer, 0))
            }
            Event::Identified { peer, .. } => {
                net(peer).is_none_or(|net| net.after > 0) && seen.insert((*peer, 1))
            }
            Event::Pinged { peer, .. } => {
                net(peer).is_none_or(|net| net.after > 0) && seen.insert((*peer, 2))
            }
            _ => true,
        };
        if keep {
            kept.push_front(event);
        }
    }
    *events = kept;
}

fn nets(events: &VecDeque<Event>) -> HashMap<PeerId, Net> {
    let mut nets: HashMap<PeerId, Net> = HashMap::new();
    for event in events {
        let (peer, before, after) = match event {
            Event::Connected {
                peer, connections, ..
            } => (*peer, connections.saturating_sub(1), *connections),
            Event::Disconnected {
                peer, connections, ..
            } => (*peer, connections + 1, *connections),
            _ => continue,
        };
        nets.entry(peer)
            .and_modify(|net| net.after = after)
            .or_insert(Net { before, after });
    }
    nets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(peer: PeerId, connections: u32) -> Event {
        Event::Connected {
            peer,
            address: "/ip4/127.0.0.1/tcp/1".parse().unwrap(),
            outbound: true,
            connections,
        }
    }

    fn disconnected(peer: PeerId, connections: u32) -> Event {
        Event::Disconnected {
            peer,
            connections,
            reason: String::new(),
        }
    }

    fn merged(events: Vec<Event>) -> Vec<Event> {
        let mut events = VecDeque::from(events);
        merge_states(&mut events);
        events.into()
    }

    #[test]
    fn a_peer_that_came_and_went_is_not_told() {
        let peer = PeerId::random();
        let ping = Event::Pinged {
            peer,
            round_trip_us: 1,
        };

        assert!(merged(vec![connected(peer, 1), ping, disconnected(peer, 0)]).is_empty());
    }

    #[test]
    fn the_last_number_of_connections_is_told() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let events = vec![
            connected(peer, 1),
            disconnected(other, 0),
            connected(peer, 2),
        ];

        assert_eq!(
            merged(events),
            vec![disconnected(other, 0), connected(peer, 2)]
        );
    }

    #[test]
    fn a_connection_that_was_told_before_and_has_ended_is_told() {
        let peer = PeerId::random();
        let events = vec![
            disconnected(peer, 0),
            connected(peer, 1),
            disconnected(peer, 0),
        ];

        assert_eq!(merged(events), vec![disconnected(peer, 0)]);
    }

    #[test]
    fn other_events_stay_in_their_order() {
        let peer = PeerId::random();
        let ended = |stream| Event::StreamEnded { stream };

        let events = vec![
            ended(1),
            connected(peer, 1),
            ended(2),
            disconnected(peer, 0),
        ];

        assert_eq!(merged(events), vec![ended(1), ended(2)]);
    }
}
