//! The rate of one raw stream between two hosts over loopback TCP, with Noise and yamux.
//!
//! Usage: `cargo run --release --example stream_rate -- [--mib 1024]`
//!
//! Prints one line of JSON. What Python adds to a stream is to be compared with this.

use std::thread;
use std::time::{Duration, Instant};

use logos_p2p::{Config, Event, Host, KeyType, StreamProtocol, keypair};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/logos/stream-rate/1");
/// What the sender hands over at once.
const CHUNK_BYTES: u64 = 256 * 1024;
/// What the sender keeps queued, and the receiver keeps granted.
const WINDOW_BYTES: u64 = 4 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let mib = mib_to_move();
    let total = mib << 20;
    let receiver = start(1);
    let sender = start(2);
    let address = next(&receiver, |event| match event {
        Event::Listening { address } => Some(address),
        _ => None,
    });
    receiver.accept_streams(PROTOCOL).expect("alive");
    sender.dial(address).expect("alive");
    let _peer = next(&sender, |event| match event {
        Event::DialDone { outcome, .. } => Some(outcome.expect("dialled")),
        _ => None,
    });
    sender
        .open_stream(receiver.peer_id(), PROTOCOL)
        .expect("alive");

    let receiving = thread::spawn(move || receive(&receiver, total));
    let began = Instant::now();
    send(&sender, total);
    receiving.join().expect("all bytes arrive");
    let seconds = began.elapsed().as_secs_f64();

    let mb_per_second = total as f64 / 1e6 / seconds;
    println!(
        "{{\"benchmark\": \"stream_rate\", \"mib\": {mib}, \"seconds\": {seconds:.3}, \
         \"mb_per_second\": {mb_per_second:.1}}}"
    );
}

fn mib_to_move() -> u64 {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => 1024,
        (Some("--mib"), Some(count)) => count.parse().expect("--mib takes a number"),
        _ => panic!("usage: stream_rate [--mib N]"),
    }
}

fn start(secret: u8) -> Host {
    let keypair = keypair(&[secret; 32], KeyType::Secp256k1).expect("a valid key");
    let loopback = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
    Host::start(Config {
        listen_addresses: vec![loopback],
        ..Config::new(keypair)
    })
    .expect("loopback can be listened at")
}

fn send(host: &Host, total: u64) {
    let (mut queued, mut written) = (0, 0);
    let mut stream = None;
    while written < total {
        assert!(host.wait(PATIENCE), "nothing happens at the sender");
        for event in host.drain(usize::MAX).expect("alive") {
            match event {
                Event::StreamOpened { outcome, .. } => stream = Some(outcome.expect("opened")),
                Event::StreamWritten { count, .. } => written += count,
                Event::StreamClosed { error, .. } => panic!("closed: {error:?}"),
                _ => {}
            }
        }
        let Some(stream) = stream else { continue };
        while queued < total && queued - written < WINDOW_BYTES {
            let count = CHUNK_BYTES.min(total - queued);
            let chunk = vec![0x5a; usize::try_from(count).expect("a chunk is small")];
            host.stream_write(stream, chunk).expect("alive");
            queued += count;
        }
    }
}

fn receive(host: &Host, total: u64) {
    let mut received = 0;
    while received < total {
        assert!(host.wait(PATIENCE), "nothing happens at the receiver");
        let mut granted = None;
        for event in host.drain(usize::MAX).expect("alive") {
            match event {
                Event::StreamIncoming { stream, .. } => granted = Some((stream, WINDOW_BYTES)),
                Event::StreamData { stream, data } => {
                    received += data.len() as u64;
                    let (_, count) = granted.get_or_insert((stream, 0));
                    *count += data.len() as u64;
                }
                Event::StreamClosed { error, .. } => panic!("closed: {error:?}"),
                _ => {}
            }
        }
        if let Some((stream, count)) = granted {
            host.stream_grant(stream, count).expect("alive");
        }
    }
}

fn next<T>(host: &Host, mut choose: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        assert!(host.wait(PATIENCE), "nothing happens");
        let chosen = host
            .drain(1)
            .expect("alive")
            .into_iter()
            .find_map(&mut choose);
        if let Some(chosen) = chosen {
            return chosen;
        }
    }
}
