//! Streams: bytes both ways, ends, resets, credit and limits.

use std::time::{Duration, Instant};

use logos_p2p::{Config, Event, StreamProtocol};

use crate::node::{Node, PATIENCE, PROTOCOL, config, stream};

const MIB: usize = 1 << 20;

/// Bytes that show where they belong.
fn pattern(count: usize) -> Vec<u8> {
    (0..count)
        .map(|at| ((at * 31) ^ (at >> 11)) as u8)
        .collect()
}

/// Sends all of `data` with at most 1 MiB on the way, then closes.
fn send(node: &mut Node, id: u64, data: &[u8]) {
    let mut on_the_way = 0u64;
    let written = |node: &mut Node| {
        node.until(|event| match event {
            Event::StreamWritten { stream, count } if *stream == id => Some(*count),
            _ => None,
        })
    };
    for chunk in data.chunks(200_000) {
        while on_the_way > MIB as u64 {
            on_the_way -= written(node);
        }
        node.host.stream_write(id, chunk.to_vec()).unwrap();
        on_the_way += chunk.len() as u64;
    }
    while on_the_way > 0 {
        on_the_way -= written(node);
    }
    node.host.stream_close_write(id).unwrap();
}

fn receive(node: &mut Node, id: u64) -> Vec<u8> {
    let mut all = Vec::new();
    node.host.stream_grant(id, MIB as u64).unwrap();
    loop {
        let next = node.until(|event| match event {
            Event::StreamData { stream, data } if *stream == id => Some(Some(data.clone())),
            Event::StreamEnded { stream } if *stream == id => Some(None),
            _ => None,
        });
        let Some(data) = next else { return all };
        node.host.stream_grant(id, data.len() as u64).unwrap();
        all.extend(data);
    }
}

#[test]
fn sixty_four_mib_go_one_way_and_then_the_other() {
    let (mut a, out, mut b, id) = stream();
    let data = pattern(64 * MIB);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            send(&mut a, out, &data);
            assert!(receive(&mut a, out) == data, "the echo is the same");
            assert_eq!(a.closed(out), None);
        });
        scope.spawn(|| {
            let got = receive(&mut b, id);
            send(&mut b, id, &got);
            assert_eq!(b.closed(id), None);
        });
    });
}

#[test]
fn who_accepts_may_end_first_and_still_read() {
    let (mut a, out, mut b, id) = stream();

    b.host.stream_close_write(id).unwrap();
    a.ended(out);
    a.host.stream_write(out, b"late".to_vec()).unwrap();
    b.host.stream_grant(id, 100).unwrap();
    assert_eq!(b.read(id, 4, PATIENCE), b"late");
    a.host.stream_close_write(out).unwrap();

    assert_eq!(a.closed(out), None);
    assert_eq!(b.closed(id), None);
}

#[test]
fn an_end_is_seen_without_credit_once_all_bytes_are_read() {
    let (a, out, mut b, id) = stream();
    b.host.stream_grant(id, 5).unwrap();

    a.host.stream_write(out, b"12345".to_vec()).unwrap();
    a.host.stream_close_write(out).unwrap();

    assert_eq!(b.read(id, 5, PATIENCE), b"12345");
    b.ended(id);
}

#[test]
fn never_more_comes_than_was_granted() {
    let (a, out, mut b, id) = stream();
    a.host.stream_write(out, pattern(1000)).unwrap();

    let quiet = Duration::from_millis(300);
    assert!(b.read(id, 1, quiet).is_empty());
    let mut got = Vec::new();
    for count in [1, 10, 500] {
        b.host.stream_grant(id, count).unwrap();
        got.extend(b.read(id, 1000, quiet));
    }

    assert_eq!(got, pattern(511));
}

#[test]
fn a_reader_that_grants_nothing_stops_the_writer() {
    let (mut a, out, mut b, id) = stream();
    for _ in 0..32 {
        a.host.stream_write(out, pattern(MIB)).unwrap();
    }

    let mut written = 0;
    while let Some(count) = a.within(Duration::from_secs(1), |event| match event {
        Event::StreamWritten { count, .. } => Some(*count),
        _ => None,
    }) {
        written += count;
    }
    assert!(written < 4 * MIB as u64, "{written} bytes left the writer");

    b.host.stream_grant(id, 32 * MIB as u64).unwrap();
    assert_eq!(b.read(id, 32 * MIB, PATIENCE).len(), 32 * MIB);
}

#[test]
fn a_reset_ends_both_sides_at_once() {
    let (mut a, out, mut b, id) = stream();
    b.host.stream_grant(id, 1000).unwrap();

    a.host.stream_reset(out).unwrap();

    assert_eq!(a.closed(out), Some("reset"));
    assert_eq!(b.closed(id), Some("reset by the peer"));
    assert!(
        b.host.stream_write(id, vec![1]).is_ok(),
        "what is gone takes no harm"
    );
}

#[test]
fn a_reset_reaches_a_peer_that_has_granted_nothing() {
    let (a, out, mut b, id) = stream();

    a.host.stream_reset(out).unwrap();

    assert_eq!(b.closed(id), Some("reset by the peer"));
}

#[test]
fn a_connection_that_ends_closes_its_streams() {
    let (mut a, out, mut b, id) = stream();

    a.host.disconnect(b.peer()).unwrap();

    assert!(a.closed(out).is_some());
    assert!(b.closed(id).is_some());
}

#[test]
fn a_stream_that_cannot_be_opened_says_why() {
    let (mut a, mut b) = (Node::new(), Node::new());
    let unknown = StreamProtocol::new("/test/unknown");
    b.host.accept_streams(PROTOCOL).unwrap();

    assert_eq!(a.open(b.peer(), PROTOCOL), Err("unreachable"));
    a.connect(&mut b);
    assert_eq!(a.open(b.peer(), unknown), Err("not_supported"));
    assert!(a.open(b.peer(), PROTOCOL).is_ok());
    b.host.refuse_streams(&PROTOCOL).unwrap();
    assert_eq!(a.open(b.peer(), PROTOCOL), Err("not_supported"));
    a.host.ban(b.peer()).unwrap();
    assert_eq!(a.open(b.peer(), PROTOCOL), Err("banned"));
}

#[test]
fn a_protocol_is_accepted_once() {
    let node = Node::new();

    assert_eq!(node.host.accept_streams(PROTOCOL), Ok(true));
    assert_eq!(node.host.accept_streams(PROTOCOL), Ok(false));
    node.host.refuse_streams(&PROTOCOL).unwrap();
    assert_eq!(node.host.accept_streams(PROTOCOL), Ok(true));
}

#[test]
fn opening_dials_a_peer_whose_address_is_known() {
    let (mut a, mut b) = (Node::new(), Node::new());
    b.host.accept_streams(PROTOCOL).unwrap();
    a.host.add_address(b.peer(), b.address.clone()).unwrap();

    assert!(a.open(b.peer(), PROTOCOL).is_ok());
    b.incoming();
}

#[test]
fn streams_opened_at_once_all_arrive_up_to_the_limit_of_a_peer() {
    let (mut a, mut b) = (Node::new(), Node::new());
    b.host.accept_streams(PROTOCOL).unwrap();
    a.connect(&mut b);

    for _ in 0..385 {
        a.host.open_stream(b.peer(), PROTOCOL).unwrap();
    }

    let outcomes: Vec<_> = (0..385)
        .map(|_| {
            a.until(|event| match event {
                Event::StreamOpened { outcome, .. } => Some(*outcome),
                _ => None,
            })
        })
        .collect();
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.err())
        .collect();
    assert_eq!(failed, ["too_many"]);
    for _ in 0..384 {
        b.incoming();
    }
    // The connection has borne it.
    b.host
        .accept_streams(StreamProtocol::new("/test/2"))
        .unwrap();
    let first = outcomes.iter().find_map(|outcome| outcome.ok()).unwrap();
    a.host.stream_reset(first).unwrap();
    a.closed(first);
    assert!(a.open(b.peer(), StreamProtocol::new("/test/2")).is_ok());
}

#[test]
fn streams_beyond_the_limit_are_reset_until_one_was_closed_and_drained() {
    let mut a = Node::new();
    let mut b = Node::with(Config {
        max_streams: 1,
        ..config()
    });
    b.host.accept_streams(PROTOCOL).unwrap();
    a.connect(&mut b);
    let first = a.open(b.peer(), PROTOCOL).unwrap();
    let id = b.incoming();

    let second = a.open(b.peer(), PROTOCOL).unwrap();
    assert_eq!(a.closed(second), Some("reset by the peer"));

    a.host.stream_reset(first).unwrap();
    b.closed(id);
    a.open(b.peer(), PROTOCOL).unwrap();
    b.incoming();
}

#[test]
fn one_opens_no_more_streams_than_the_limit() {
    let mut a = Node::with(Config {
        max_streams: 1,
        ..config()
    });
    let mut b = Node::new();
    b.host.accept_streams(PROTOCOL).unwrap();
    a.connect(&mut b);

    let first = a.open(b.peer(), PROTOCOL).unwrap();
    assert_eq!(a.open(b.peer(), PROTOCOL), Err("too_many"));
    a.host.stream_reset(first).unwrap();
    a.closed(first);
    assert!(a.open(b.peer(), PROTOCOL).is_ok());
}

#[test]
fn a_small_question_is_answered_quickly() {
    let (mut a, out, mut b, id) = stream();
    a.host.stream_grant(out, 1000).unwrap();
    b.host.stream_grant(id, 1000).unwrap();
    let began = Instant::now();

    for _ in 0..100 {
        a.host.stream_write(out, vec![1; 10]).unwrap();
        assert_eq!(b.read(id, 10, PATIENCE).len(), 10);
        b.host.stream_write(id, vec![2; 10]).unwrap();
        assert_eq!(a.read(out, 10, PATIENCE).len(), 10);
    }

    assert!(
        began.elapsed() < PATIENCE,
        "no round trip waits for a timer"
    );
}
