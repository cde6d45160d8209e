//! Kademlia across hosts that each know one other.

use std::time::Instant;

use logos_p2p::{Event, PeerId};

use crate::node::{Node, PATIENCE, config};

/// A star of five: all know the first, and through it one another.
fn network() -> Vec<Node> {
    let mut nodes: Vec<_> = (0..5).map(|_| Node::new()).collect();
    let (hub, others) = nodes.split_first_mut().unwrap();
    for node in others.iter_mut() {
        node.connect(hub);
    }
    for node in others {
        node.host.bootstrap().unwrap();
    }
    nodes
}

fn provide(node: &mut Node, key: &[u8]) -> Option<String> {
    let asked = node.host.provide(key.to_vec()).unwrap();
    node.until(|event| match event {
        Event::ProvideDone { request, error } if *request == asked => Some(error.clone()),
        _ => None,
    })
}

/// All providers of a search, checked to be reported once each.
fn find(node: &mut Node, key: &[u8]) -> Vec<(PeerId, usize)> {
    let asked = node.host.find_providers(key.to_vec()).unwrap();
    let mut all = Vec::new();
    loop {
        let (found, is_done) = node.until(|event| match event {
            Event::ProvidersFound {
                request,
                providers,
                done,
            } if *request == asked => Some((providers.clone(), *done)),
            _ => None,
        });
        for (peer, addresses) in found {
            assert!(all.iter().all(|(known, _)| *known != peer), "told twice");
            all.push((peer, addresses.len()));
        }
        if is_done {
            return all;
        }
    }
}

#[test]
fn what_one_provides_another_finds_with_its_address() {
    let mut nodes = network();

    assert_eq!(provide(&mut nodes[1], b"key"), None);

    let provider = nodes[1].peer();
    let found = find(&mut nodes[4], b"key");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, provider);
    assert!(found[0].1 > 0, "with an address");
    let dialled = nodes[4].open(provider, crate::node::PROTOCOL);
    assert_eq!(dialled, Err("not_supported"), "it is reachable by now");
}

/// A client is in no routing table: only the record has its address.
#[test]
fn a_provider_that_is_a_client_can_be_reached_by_what_the_search_told() {
    let mut hub = Node::new();
    let mut seeker = Node::new();
    let mut provider = Node::with(logos_p2p::Config {
        kademlia_server: false,
        ..config()
    });
    provider.connect(&mut hub);
    seeker.connect(&mut hub);
    assert_eq!(provide(&mut provider, b"key"), None);

    let end = Instant::now() + PATIENCE;
    while find(&mut seeker, b"key").is_empty() {
        assert!(Instant::now() < end);
    }

    let opened = seeker.open(provider.peer(), crate::node::PROTOCOL);
    assert_eq!(opened, Err("not_supported"), "it is reachable by now");
}

#[test]
fn what_nobody_provides_is_not_found() {
    let mut nodes = network();

    assert_eq!(find(&mut nodes[2], b"nothing"), []);
}

#[test]
fn providing_alone_reaches_nobody() {
    let mut alone = Node::new();

    assert_eq!(provide(&mut alone, b"key").as_deref(), Some("no_peers"));
}

#[test]
fn who_stops_providing_does_not_find_itself() {
    let mut alone = Node::new();
    provide(&mut alone, b"key");
    assert_eq!(find(&mut alone, b"key").len(), 1);

    alone.host.stop_providing(b"key".to_vec()).unwrap();

    assert_eq!(find(&mut alone, b"key"), []);
}

#[test]
fn a_client_finds_but_is_not_asked() {
    let mut server = Node::new();
    let mut client = Node::with(logos_p2p::Config {
        kademlia_server: false,
        ..config()
    });
    server.dial(client.address.clone()).unwrap();

    match server.identified(client.peer()) {
        Event::Identified { protocols, .. } => {
            assert!(!protocols.contains(&"/logos/kad/1.0.0".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    client.identified(server.peer());
    assert_eq!(provide(&mut client, b"key"), None);
    // An announcement has no answer, so it may still be on its way.
    let end = Instant::now() + PATIENCE;
    while find(&mut server, b"key").is_empty() {
        assert!(Instant::now() < end);
    }
}
