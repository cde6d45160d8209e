//! Connections: permissions, limits and events.

use std::time::Duration;

use logos_p2p::{Config, ConfigError, Event, Host, Multiaddr, PeerId};

use crate::node::{Node, PROTOCOL, config};

fn with_peer(address: &Multiaddr, peer: PeerId) -> Multiaddr {
    address.clone().with_p2p(peer).unwrap()
}

fn disconnected(node: &mut Node, who: PeerId) {
    node.until(|event| match event {
        Event::Disconnected {
            peer, connections, ..
        } if *peer == who && *connections == 0 => Some(()),
        _ => None,
    });
}

#[test]
fn a_dial_tells_who_answered() {
    let (mut a, mut b) = (Node::new(), Node::new());

    assert_eq!(a.dial(b.address.clone()), Ok(b.peer()));
    assert_eq!(a.dial(with_peer(&b.address, b.peer())), Ok(b.peer()));

    let (outbound, connections) = a.until(|event| match event {
        Event::Connected {
            outbound,
            connections,
            ..
        } => Some((*outbound, *connections)),
        _ => None,
    });
    assert!(outbound);
    assert_eq!(connections, 1, "the second dial found the connection");
    let inbound = b.until(|event| match event {
        Event::Connected { outbound, .. } => Some(!outbound),
        _ => None,
    });
    assert!(inbound);
}

#[test]
fn a_dial_that_fails_tells_why() {
    let (mut a, b) = (Node::new(), Node::new());
    let stranger = PeerId::random();
    let nobody: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();

    let error = a.dial(with_peer(&b.address, stranger)).unwrap_err();
    assert!(error.contains("wrong peer id"), "{error}");
    assert!(a.dial(a.address.clone()).is_err(), "itself");
    assert!(a.dial(with_peer(&a.address, a.peer())).is_err(), "itself");
    assert!(a.dial(nobody).is_err());
    assert!(a.dial("/ip4/127.0.0.1/udp/1".parse().unwrap()).is_err());
    a.host.ban(b.peer()).unwrap();
    let error = a.dial(with_peer(&b.address, b.peer())).unwrap_err();
    assert!(error.contains("block list"), "{error}");
}

#[test]
fn a_peer_says_what_it_speaks() {
    let (mut a, mut b) = (
        Node::new(),
        Node::with(Config {
            agent: "x".repeat(300),
            ..config()
        }),
    );

    a.dial(b.address.clone()).unwrap();

    match a.identified(b.peer()) {
        Event::Identified {
            agent,
            protocols,
            listen_addresses,
            ..
        } => {
            assert_eq!(agent, "x".repeat(256));
            assert!(protocols.contains(&"/vac/waku/relay/2.0.0".to_owned()));
            assert!(protocols.contains(&"/logos/kad/1.0.0".to_owned()));
            assert!(listen_addresses.contains(&b.address));
        }
        other => panic!("{other:?}"),
    }
    b.identified(a.peer());
}

#[test]
fn a_round_trip_is_measured_when_asked() {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.connect(&mut b);
    let pinged = |event: &Event| matches!(event, Event::Pinged { .. }).then_some(());
    a.until(pinged);

    // The next one by itself would come after 15 s.
    a.host.ping(b.peer()).unwrap();
    a.within(Duration::from_secs(10), pinged).unwrap();
}

#[test]
fn a_banned_peer_is_cut_off_and_refused_until_it_is_not() {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.connect(&mut b);

    a.host.ban(b.peer()).unwrap();
    disconnected(&mut a, b.peer());
    disconnected(&mut b, a.peer());
    // The refusal comes after the handshake, so the dial itself may succeed before the end.
    if b.dial(a.address.clone()).is_ok() {
        disconnected(&mut b, a.peer());
    }

    a.host.unban(b.peer()).unwrap();
    b.connect(&mut a);
}

#[test]
fn disconnecting_is_told_to_both() {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.connect(&mut b);

    a.host.disconnect(b.peer()).unwrap();

    disconnected(&mut a, b.peer());
    disconnected(&mut b, a.peer());
}

#[test]
fn no_more_connections_stand_than_allowed() {
    let mut hub = Node::with(Config {
        max_connections: 1,
        ..config()
    });
    let (mut first, mut second) = (Node::new(), Node::new());
    first.connect(&mut hub);

    if second.dial(hub.address.clone()).is_ok() {
        disconnected(&mut second, hub.peer());
    }

    first.host.disconnect(hub.peer()).unwrap();
    disconnected(&mut hub, first.peer());
    second.connect(&mut hub);
}

#[test]
fn only_allowed_peers_connect_if_there_is_a_list() {
    let (mut friend, mut stranger) = (Node::new(), Node::new());
    let mut a = Node::with(Config {
        allowed_peers: Some(vec![friend.peer()]),
        ..config()
    });

    friend.connect(&mut a);
    if stranger.dial(a.address.clone()).is_ok() {
        disconnected(&mut stranger, a.peer());
    }
    assert!(
        a.dial(with_peer(&stranger.address, stranger.peer()))
            .is_err()
    );
}

#[test]
fn an_address_in_use_cannot_be_listened_at() {
    let a = Node::new();

    let error = Host::start(Config {
        listen_addresses: vec![a.address.clone()],
        ..config()
    })
    .err()
    .unwrap();

    assert!(matches!(error, ConfigError::Listen { .. }), "{error}");
}

#[test]
fn a_link_counts_what_it_carries_each_way_until_it_is_lost() {
    let (mut a, mut b) = (Node::new(), Node::new());
    let stranger = PeerId::random();
    assert!(a.host.traffic().unwrap().is_empty());
    a.connect(&mut b);
    b.host.accept_streams(PROTOCOL).unwrap();
    let of = |node: &Node, peer: PeerId| {
        let links = node.host.traffic().unwrap();
        links
            .into_iter()
            .find(|(one, _)| *one == peer)
            .map(|(_, t)| t)
    };
    let (before, there_before) = (of(&a, b.peer()).unwrap(), of(&b, a.peer()).unwrap());
    assert_eq!(of(&a, stranger), None);

    let id = a.open(b.peer(), PROTOCOL).unwrap();
    let incoming = b.incoming();
    b.host.stream_grant(incoming, 1 << 20).unwrap();
    a.host.stream_write(id, vec![7; 500_000]).unwrap();
    let mut count = 0;
    while count < 500_000 {
        count += b.until(|event| match event {
            Event::StreamData { stream, data } if *stream == incoming => Some(data.len()),
            _ => None,
        });
    }

    let (after, there) = (of(&a, b.peer()).unwrap(), of(&b, a.peer()).unwrap());
    assert_eq!(after.since_unix_us, before.since_unix_us);
    assert!(after.sent_bytes - before.sent_bytes >= 500_000);
    assert!(after.sent_bytes - before.sent_bytes < 600_000);
    assert!(there.received_bytes - there_before.received_bytes >= 500_000);
    assert!(
        after.sent_messages - before.sent_messages >= 8,
        "frames have 64 KiB at most"
    );
    assert!(there.received_messages - there_before.received_messages >= 8);
    assert!(there.sent_bytes - there_before.sent_bytes < 100_000);
    assert!(
        after.received_bytes > before.received_bytes,
        "credit comes back"
    );

    a.host.disconnect(b.peer()).unwrap();
    disconnected(&mut a, b.peer());
    assert!(a.host.traffic().unwrap().is_empty());
    a.host.close();
    assert!(a.host.traffic().is_err());
}

#[test]
fn an_isolated_host_has_no_connection_until_it_is_healed() {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.connect(&mut b);

    a.host.isolate(true).unwrap();
    disconnected(&mut a, b.peer());
    disconnected(&mut b, a.peer());
    let error = a.dial(b.address.clone()).unwrap_err();
    assert!(error.contains("isolated"), "{error}");
    assert!(b.dial(a.address.clone()).is_err());

    a.host.isolate(false).unwrap();
    a.connect(&mut b);
    a.host.isolate(true).unwrap();
    disconnected(&mut b, a.peer());
    a.host.isolate(false).unwrap();
    // A dial may reach `a` before its thread has come to that.
    assert!((0..1000).any(|_| b.dial(a.address.clone()) == Ok(a.peer())));
}
