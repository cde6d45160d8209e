//! The end of a host, wanted or not.

use std::time::{Duration, Instant};

use logos_p2p::{Event, HostError};

use crate::node::{Node, PATIENCE, stream};

#[test]
fn after_a_panic_every_call_tells_of_it() {
    let node = Node::new();

    node.host.panic_for_test().unwrap();

    let end = Instant::now() + PATIENCE;
    let error = loop {
        assert!(node.host.wait(PATIENCE), "the descriptor becomes readable");
        match node.host.drain(1) {
            Err(error) => break error,
            Ok(_) => assert!(Instant::now() < end),
        }
    };
    assert_eq!(
        error,
        HostError::Panicked("panic_for_test was called".to_owned())
    );
    assert_eq!(node.host.subscribe("t".to_owned()), Err(error.clone()));
    assert_eq!(node.host.stream_grant(1, 1), Err(error.clone()));
    assert_eq!(node.host.bootstrap(), Err(error));
    assert!(node.host.wait(Duration::ZERO), "and stays so");
    node.host.close();
}

#[test]
fn closing_ends_connections_and_the_thread_in_two_seconds() {
    let (a, _, mut b, id) = stream();
    let began = Instant::now();

    a.host.close();
    a.host.close();

    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(b.closed(id).is_some());
    b.until(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
    assert_eq!(a.host.bootstrap(), Err(HostError::Closed));
    assert!(a.host.drain(10).is_ok());
}

#[test]
fn a_host_that_is_dropped_is_closed() {
    let (a, _, mut b, _) = stream();

    drop(a);

    b.until(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
}

#[test]
fn a_host_that_nobody_drains_closes_too() {
    let (mut a, out, b, id) = stream();
    b.host.stream_grant(id, 1 << 30).unwrap();
    for _ in 0..64 {
        a.host.stream_write(out, vec![0; 1 << 20]).unwrap();
    }
    a.until(|event| matches!(event, Event::StreamWritten { .. }).then_some(()));
    let began = Instant::now();

    b.host.close();

    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(a.closed(out).is_some());
}
