//! The handle of a host: what other threads may ask of the swarm's thread.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::behaviour;
use crate::command::Command;
use crate::config::{Config, ConfigError};
use crate::discovery::Searches;
use crate::driver::Driver;
use crate::events::Event;
use crate::fault::{Fault, panic_text};
use crate::gossip::Verdict;
use crate::opening::Openings;
use crate::queue::EventQueue;
use crate::streams::StreamTable;
use crate::substream_handler::Accepted;
use crate::traffic::{Links, Traffic};

/// The thread is abandoned if it has not ended in this time.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1900);
/// Tasks that block (there should be none) are abandoned after this time.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("the swarm's thread panicked: {0}")]
    Panicked(String),
    #[error("the host is closed")]
    Closed,
}

type Outcome<T> = Result<T, HostError>;

/// One libp2p host. Safe to use from any thread; no method waits for the swarm, but for
/// `start` and `close`.
pub struct Host {
    peer_id: PeerId,
    events: Arc<EventQueue>,
    streams: Arc<StreamTable>,
    accepted: Accepted,
    links: Arc<Links>,
    commands: UnboundedSender<Command>,
    next_request: AtomicU64,
    stop: Arc<Notify>,
    closed: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

struct Thread {
    handle: JoinHandle<()>,
    ended: Receiver<()>,
}

/// What the thread needs of the handle.
struct Shared {
    config: Config,
    events: Arc<EventQueue>,
    streams: Arc<StreamTable>,
    accepted: Accepted,
    links: Arc<Links>,
    stop: Arc<Notify>,
}

impl Host {
    /// Starts the thread; returns once it listens.
    pub fn start(config: Config) -> Result<Self, ConfigError> {
        let shared = Shared {
            events: Arc::new(EventQueue::new(
                config.max_queued_messages,
                config.max_queued_message_bytes,
            )?),
            streams: Arc::new(StreamTable::new(config.max_streams)),
            accepted: Accepted::default(),
            links: Arc::default(),
            stop: Arc::new(Notify::new()),
            config,
        };
        let (commands, received) = unbounded_channel();
        let (started, start) = sync_channel(1);
        let (ended_sender, ended) = sync_channel(1);
        let mut host = Self {
            peer_id: shared.config.keypair.public().to_peer_id(),
            events: shared.events.clone(),
            streams: shared.streams.clone(),
            accepted: shared.accepted.clone(),
            links: shared.links.clone(),
            commands,
            next_request: AtomicU64::new(1),
            stop: shared.stop.clone(),
            closed: AtomicBool::new(false),
            thread: Mutex::new(None),
        };
        let handle = Builder::new().name("logos-p2p".to_owned()).spawn(move || {
            run_thread(shared, received, &started);
            let _ = ended_sender.send(());
        })?;
        *host
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner) = Some(Thread { handle, ended });
        match start.recv() {
            Ok(Ok(())) => Ok(host),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ConfigError::Panicked(
                host.events.panicked().unwrap_or_default(),
            )),
        }
    }

    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    pub fn fileno(&self) -> RawFd {
        self.events.fileno()
    }

    /// Waits until events wait; false if the time has passed first.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.events.wait(timeout)
    }

    pub fn drain(&self, limit: usize) -> Outcome<Vec<Event>> {
        let events = self.events.drain(limit).map_err(HostError::Panicked)?;
        for event in &events {
            if let Event::StreamClosed { stream, .. } = event {
                self.streams.forget(*stream);
            }
        }
        Ok(events)
    }

    /// Ends every connection and the thread. Idempotent; takes at most two seconds.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.stop.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.ended.recv_timeout(CLOSE_TIMEOUT).is_ok()
        {
            let _ = thread.handle.join();
        }
    }

    pub fn dial(&self, address: Multiaddr) -> Outcome<u64> {
        self.request(|request| Command::Dial { request, address })
    }

    pub fn disconnect(&self, peer: PeerId) -> Outcome<()> {
        self.send(Command::Disconnect(peer))
    }

    pub fn add_address(&self, peer: PeerId, address: Multiaddr) -> Outcome<()> {
        self.send(Command::AddAddress(peer, address))
    }

    pub fn ban(&self, peer: PeerId) -> Outcome<()> {
        self.send(Command::Ban(peer))
    }

    pub fn unban(&self, peer: PeerId) -> Outcome<()> {
        self.send(Command::Unban(peer))
    }

    /// Closes every connection and refuses all, or refuses them no longer.
    pub fn isolate(&self, is_on: bool) -> Outcome<()> {
        self.send(Command::Isolate(is_on))
    }

    pub fn ping(&self, peer: PeerId) -> Outcome<()> {
        self.send(Command::Ping(peer))
    }

    /// What the link to each connected peer has carried.
    pub fn traffic(&self) -> Outcome<Vec<(PeerId, Traffic)>> {
        self.check()?;
        Ok(self.links.read())
    }

    pub fn subscribe(&self, topic: String) -> Outcome<()> {
        self.send(Command::Subscribe(topic))
    }

    pub fn unsubscribe(&self, topic: String) -> Outcome<()> {
        self.send(Command::Unsubscribe(topic))
    }

    pub fn publish(&self, topic: String, data: Vec<u8>) -> Outcome<u64> {
        self.request(|request| Command::Publish {
            request,
            topic,
            data,
        })
    }

    /// Ends with `TopicsListed`.
    pub fn list_topics(&self) -> Outcome<u64> {
        self.request(|request| Command::ListTopics { request })
    }

    pub fn judge(&self, message_id: [u8; 32], from: PeerId, verdict: Verdict) -> Outcome<()> {
        self.send(Command::Judge {
            message_id,
            from,
            verdict,
        })
    }

    pub fn provide(&self, key: Vec<u8>) -> Outcome<u64> {
        self.request(|request| Command::Provide { request, key })
    }

    pub fn stop_providing(&self, key: Vec<u8>) -> Outcome<()> {
        self.send(Command::StopProviding { key })
    }

    pub fn find_providers(&self, key: Vec<u8>) -> Outcome<u64> {
        self.request(|request| Command::FindProviders { request, key })
    }

    pub fn bootstrap(&self) -> Outcome<()> {
        self.send(Command::Bootstrap)
    }

    /// Returns false if the protocol is accepted already.
    pub fn accept_streams(&self, protocol: StreamProtocol) -> Outcome<bool> {
        self.check()?;
        Ok(self.accepted.insert(protocol))
    }

    pub fn refuse_streams(&self, protocol: &StreamProtocol) -> Outcome<()> {
        self.check()?;
        self.accepted.remove(protocol);
        Ok(())
    }

    pub fn open_stream(&self, peer: PeerId, protocol: StreamProtocol) -> Outcome<u64> {
        self.request(|request| Command::OpenStream {
            request,
            peer,
            protocol,
        })
    }

    pub fn stream_grant(&self, stream: u64, count: u64) -> Outcome<()> {
        self.check()?;
        self.streams.grant(stream, count);
        Ok(())
    }

    pub fn stream_write(&self, stream: u64, data: Vec<u8>) -> Outcome<()> {
        self.check()?;
        self.streams.write(stream, data);
        Ok(())
    }

    pub fn stream_close_write(&self, stream: u64) -> Outcome<()> {
        self.check()?;
        self.streams.close_write(stream);
        Ok(())
    }

    pub fn stream_reset(&self, stream: u64) -> Outcome<()> {
        self.check()?;
        self.streams.reset(stream);
        Ok(())
    }

    pub fn panic_for_test(&self) -> Outcome<()> {
        self.send(Command::Panic)
    }

    fn request(&self, command: impl FnOnce(u64) -> Command) -> Outcome<u64> {
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        self.send(command(request))?;
        Ok(request)
    }

    fn send(&self, command: Command) -> Outcome<()> {
        self.check()?;
        self.commands.send(command).map_err(|_| {
            // The thread may have ended after the check.
            self.check().err().unwrap_or(HostError::Closed)
        })
    }

    fn check(&self) -> Outcome<()> {
        if let Some(text) = self.events.panicked() {
            return Err(HostError::Panicked(text));
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(HostError::Closed);
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.close();
    }
}

fn run_thread(
    shared: Shared,
    commands: UnboundedReceiver<Command>,
    started: &SyncSender<Result<(), ConfigError>>,
) {
    let events = shared.events.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error.into()));
                return;
            }
        };
        run_swarm(&runtime, shared, commands, started);
        runtime.shutdown_timeout(RUNTIME_TIMEOUT);
    }));
    if let Err(panic) = outcome {
        events.die(panic_text(&*panic));
    }
}

fn run_swarm(
    runtime: &Runtime,
    shared: Shared,
    commands: UnboundedReceiver<Command>,
    started: &SyncSender<Result<(), ConfigError>>,
) {
    runtime.block_on(async move {
        let fault = Fault::new(shared.events.clone(), shared.stop.clone());
        let swarm =
            match behaviour::swarm(&shared.config, shared.accepted, shared.links, fault.clone()) {
                Ok(swarm) => swarm,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return;
                }
            };
        let _ = started.send(Ok(()));
        let driver = Driver {
            swarm,
            openings: Openings::new(shared.events.clone(), shared.streams.clone(), fault),
            events: shared.events,
            streams: shared.streams,
            kademlia_protocol: shared.config.kademlia_protocol,
            max_message_bytes: shared.config.max_message_bytes,
            dials: HashMap::new(),
            searches: Searches::default(),
        };
        driver.run(commands, &shared.stop).await;
    });
}
