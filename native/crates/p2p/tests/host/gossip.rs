//! Messages: their recipients, verdicts, and losses without draining.

use std::time::{Duration, Instant};

use logos_p2p::{Config, Event, Message, StreamProtocol, Verdict, message_id};

use crate::node::{Node, PATIENCE, config};

const TOPIC: &str = "/waku/2/rs/1/0";

fn message(node: &mut Node) -> Message {
    node.until(|event| match event {
        Event::Message(message) => Some(message.clone()),
        _ => None,
    })
}

fn publish(node: &mut Node, data: &[u8]) -> Option<String> {
    publish_to(node, TOPIC, data)
}

fn publish_to(node: &mut Node, topic: &str, data: &[u8]) -> Option<String> {
    let asked = node.host.publish(topic.to_owned(), data.to_vec()).unwrap();
    node.until(|event| match event {
        Event::PublishDone { request, error } if *request == asked => Some(error.clone()),
        _ => None,
    })
}

/// Publishes until a peer that subscribes is known.
fn publish_when_subscribed(node: &mut Node, data: &[u8]) {
    let end = Instant::now() + PATIENCE;
    while let Some(error) = publish(node, data) {
        assert_eq!(error, "no_peers");
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A line of subscribed nodes: the first knows the second, the second the third.
fn line<const N: usize>() -> [Node; N] {
    let mut nodes: [Node; N] = std::array::from_fn(|_| Node::new());
    for node in &nodes {
        node.host.subscribe(TOPIC.to_owned()).unwrap();
    }
    for at in 1..N {
        let (left, right) = nodes.split_at_mut(at);
        left[at - 1].connect(&mut right[0]);
    }
    nodes
}

#[test]
fn a_message_has_no_author_and_the_hash_of_its_data_as_id() {
    let [mut a, mut b] = line();

    publish_when_subscribed(&mut a, b"hello");

    let got = message(&mut b);
    assert_eq!(got.data, b"hello");
    assert_eq!(got.topic, TOPIC);
    assert_eq!(got.message_id, message_id(b"hello"));
    assert_eq!(got.from, a.peer());
}

/// The other host here speaks gossip by hand, over raw streams of the gossip protocol.
#[test]
fn on_the_wire_a_message_is_its_data_and_its_topic_alone() {
    const RELAY: StreamProtocol = StreamProtocol::new("/vac/waku/relay/2.0.0");
    let mut a = Node::new();
    let mut raw = Node::with(Config {
        gossip_protocol: StreamProtocol::new("/test/no-gossip"),
        ..config()
    });
    raw.host.accept_streams(RELAY).unwrap();
    raw.connect(&mut a);
    let out = raw.open(a.peer(), RELAY).unwrap();
    // RPC{subscriptions=1: {subscribe=1: true, topicid=2: "t"}}, after its length.
    let subscription = b"\x07\x0a\x05\x08\x01\x12\x01t".to_vec();
    raw.host.stream_write(out, subscription).unwrap();
    let incoming = raw.incoming();
    raw.host.stream_grant(incoming, 1000).unwrap();

    let end = Instant::now() + PATIENCE;
    while publish_to(&mut a, "t", b"hello").is_some() {
        assert!(Instant::now() < end, "the subscription is seen");
        std::thread::sleep(Duration::from_millis(20));
    }

    // RPC{publish=2: {data=2: "hello", topic=4: "t"}}: no from (1), seqno (3), signature (5) or
    // key (6). Source: libp2p specs, pubsub/README.md, "The Message" and StrictNoSign.
    let expected = b"\x0c\x12\x0a\x12\x05hello\x22\x01t";
    // Before it comes RPC{control=3: {extensions=6: {}}}, which older peers skip.
    let hello = b"\x04\x1a\x02\x32\x00";
    let got = raw.read(incoming, hello.len() + expected.len(), PATIENCE);
    assert_eq!(got, [hello.as_slice(), expected].concat());
}

#[test]
fn a_message_goes_on_when_it_is_accepted_and_not_before() {
    let [mut a, mut b, mut c] = line();
    publish_when_subscribed(&mut a, b"first");

    let got = message(&mut b);
    let early = c.within(Duration::from_millis(500), |event| {
        matches!(event, Event::Message(_)).then_some(())
    });
    assert_eq!(early, None, "it was not judged yet");
    b.host
        .judge(got.message_id, got.from, Verdict::Accept)
        .unwrap();

    assert_eq!(message(&mut c).data, b"first");
}

#[test]
fn a_message_that_is_ignored_or_rejected_does_not_go_on() {
    let [mut a, mut b, mut c] = line();
    for (data, verdict) in [
        (b"bad".as_slice(), Verdict::Reject),
        (b"old", Verdict::Ignore),
        (b"good", Verdict::Accept),
    ] {
        publish_when_subscribed(&mut a, data);
        let got = message(&mut b);
        assert_eq!(got.data, data);
        b.host.judge(got.message_id, got.from, verdict).unwrap();
    }

    assert_eq!(message(&mut c).data, b"good");
}

#[test]
fn a_peer_whose_messages_are_rejected_is_not_heard_any_more() {
    let [mut a, mut b] = line();

    // Invalid messages count squared times -100, and no peer below -10,000 is heard.
    let rejected = (0..100u32).take_while(|number| {
        publish_when_subscribed(&mut a, number.to_string().as_bytes());
        let got = b.within(Duration::from_secs(2), |event| match event {
            Event::Message(got) => Some((got.message_id, got.from)),
            _ => None,
        });
        if let Some((message_id, from)) = got {
            b.host.judge(message_id, from, Verdict::Reject).unwrap();
        }
        got.is_some()
    });

    assert!((1..100).contains(&rejected.count()));
}

#[test]
fn publishing_says_why_it_failed() {
    let mut alone = Node::new();
    assert_eq!(publish(&mut alone, b"x").as_deref(), Some("no_peers"));

    let [mut a, _b] = line();
    publish_when_subscribed(&mut a, b"x");
    assert_eq!(publish(&mut a, b"x").as_deref(), Some("duplicate"));
    let large = vec![0; 153_601];
    assert_eq!(publish(&mut a, &large).as_deref(), Some("too_large"));
    assert_eq!(publish(&mut a, &large[1..]), None, "the limit itself fits");
}

#[test]
fn the_followers_of_a_topic_are_known_and_who_of_them_is_in_the_mesh() {
    let [mut a, b] = line();
    a.host.subscribe("/waku/2/rs/1/1".to_owned()).unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        let asked = a.host.list_topics().unwrap();
        let mut topics = a.until(|event| match event {
            Event::TopicsListed { request, topics } if *request == asked => Some(topics.clone()),
            _ => None,
        });
        topics.sort_by(|one, other| one.topic.cmp(&other.topic));
        assert_eq!(topics.len(), 2);
        assert_eq!(topics[1].followers, []);
        let followers: Vec<_> = topics[0].followers.iter().map(|(peer, _)| *peer).collect();
        if topics[0].mesh == [b.peer()] {
            assert_eq!(followers, [b.peer()]);
            break;
        }
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn messages_nobody_drains_are_dropped_and_counted_and_not_kept() {
    let mut a = Node::new();
    let b = Node::with(Config {
        max_queued_messages: 10,
        ..config()
    });
    for node in [&a, &b] {
        node.host.subscribe(TOPIC.to_owned()).unwrap();
    }
    a.dial(b.address.clone()).unwrap();
    publish_when_subscribed(&mut a, b"0");
    for number in 1..100u32 {
        publish_when_subscribed(&mut a, number.to_string().as_bytes());
    }

    let mut b = b;
    let mut arrived = 0;
    let mut lost = 0;
    // One at a time from here, so each event is counted once.
    while arrived + lost < 100 {
        std::thread::sleep(Duration::from_millis(if arrived == 0 { 500 } else { 0 }));
        match b.until(|event| match event {
            Event::Message(_) => Some(None),
            Event::MessagesLost { topic, count } => {
                assert_eq!(topic, TOPIC);
                Some(Some(*count))
            }
            _ => None,
        }) {
            None => arrived += 1,
            Some(count) => lost += count,
        }
    }

    assert_eq!(arrived, 10, "as many as the queue holds");
    assert_eq!(lost, 90);
}

/// NET-24: peers of one node that are in its mesh, and one by hand that has taken itself out.
#[test]
fn own_messages_go_to_the_mesh_alone_unless_all_who_follow_are_to_have_them() {
    const RELAY: StreamProtocol = StreamProtocol::new("/vac/waku/relay/2.0.0");
    const MESH: usize = 6;
    for flood_publish in [true, false] {
        let mut hub = Node::with(Config {
            flood_publish,
            ..config()
        });
        hub.host.subscribe("t".to_owned()).unwrap();
        let mut raw = Node::with(Config {
            gossip_protocol: StreamProtocol::new("/test/no-gossip"),
            ..config()
        });
        raw.host.accept_streams(RELAY).unwrap();
        raw.connect(&mut hub);
        let out = raw.open(hub.peer(), RELAY).unwrap();
        let incoming = raw.incoming();
        raw.host.stream_grant(incoming, 100_000).unwrap();
        // RPC{control=3: {prune=4: {topicID=1: "t", backoff=3: 60}}}, then
        // RPC{subscriptions=1: {subscribe=1: true, topicid=2: "t"}}, each after its length.
        let prune = b"\x09\x1a\x07\x22\x05\x0a\x01t\x18\x3c";
        let subscription = b"\x07\x0a\x05\x08\x01\x12\x01t";
        let said = [prune.as_slice(), subscription].concat();
        raw.host.stream_write(out, said).unwrap();
        let mut others: Vec<Node> = (0..MESH).map(|_| Node::new()).collect();
        for other in &mut others {
            other.host.subscribe("t".to_owned()).unwrap();
            other.connect(&mut hub);
        }
        let end = Instant::now() + PATIENCE;
        while mesh_of(&mut hub) != (MESH, MESH + 1) {
            assert!(Instant::now() < end, "its mesh is the others");
            std::thread::sleep(Duration::from_millis(20));
        }

        assert_eq!(publish_to(&mut hub, "t", b"hello"), None);

        let mut read = Vec::new();
        let (data, id) = (b"hello".as_slice(), message_id(b"hello"));
        let has = |read: &[u8], part: &[u8]| read.windows(part.len()).any(|each| each == part);
        while !has(&read, data) && !has(&read, &id) {
            let more = raw.read(incoming, 1, PATIENCE);
            assert!(!more.is_empty(), "it hears of the message");
            read.extend(more);
        }
        assert_eq!(has(&read, data), flood_publish);
    }
}

/// How many peers are in the mesh of the topic "t", and how many follow it.
fn mesh_of(node: &mut Node) -> (usize, usize) {
    let asked = node.host.list_topics().unwrap();
    node.until(|event| match event {
        Event::TopicsListed { request, topics } if *request == asked => topics
            .iter()
            .find(|each| each.topic == "t")
            .map(|each| (each.mesh.len(), each.followers.len())),
        _ => None,
    })
}
