//! The task of one stream: moves bytes as far as credit, windows and queues allow.
//!
//! One task holds both directions, so that a reset is just its end. It never holds more than
//! one chunk of each direction: what cannot be written stays with the owner's queue, what may
//! not be read stays in the window of the multiplexer and stops the peer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::swarm::Stream;

use crate::events::{Event, MAX_STREAM_DATA_BYTES};
use crate::queue::EventQueue;
use crate::streams::Control;

/// A task that has moved so many bytes lets others run.
const BYTES_PER_TURN: usize = 1 << 20;

thread_local! {
    // Shared by all streams of a thread: a read neither waits nor recurses while it is borrowed.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_STREAM_DATA_BYTES].into());
}

/// Why a stream did not end well.
const RESET: &str = "reset";
const RESET_BY_PEER: &str = "reset by the peer";
const CONNECTION_LOST: &str = "connection lost";

pub(crate) struct Pump<S = Stream> {
    id: u64,
    stream: S,
    control: Arc<Control>,
    events: Arc<EventQueue>,
    /// One byte read ahead without credit, so that an end or a reset is seen without credit too.
    ahead: Option<u8>,
    read_ended: bool,
    /// The chunk being written, and how much of it is.
    writing: Vec<u8>,
    written: usize,
    write_ended: bool,
}

/// Whether a direction can go on at once, or must be woken.
#[derive(PartialEq, Eq)]
enum Step {
    Waits,
    MayGoOn,
}

struct Broken;

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) fn new(id: u64, stream: S, control: Arc<Control>, events: Arc<EventQueue>) -> Self {
        Self {
            id,
            stream,
            control,
            events,
            ahead: None,
            read_ended: false,
            writing: Vec::new(),
            written: 0,
            write_ended: false,
        }
    }

    /// Runs until both directions have ended, or the stream is reset. Then drops the stream,
    /// which resets a direction that has not ended, and reports the close.
    pub(crate) async fn run(mut self) {
        let error = poll_fn(|cx| self.poll(cx)).await;
        let Self {
            id,
            stream,
            control,
            events,
            ..
        } = self;
        drop(stream);
        {
            let mut wishes = control.wishes();
            wishes.writes.clear();
            wishes.close_write = true;
        }
        events.push(Event::StreamClosed { stream: id, error });
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<&'static str>> {
        self.control.waker.register(cx.waker());
        let (is_reset, is_lost) = {
            let wishes = self.control.wishes();
            (wishes.reset, wishes.lost)
        };
        if is_reset {
            return Poll::Ready(Some(RESET));
        }
        let read = self.read(cx);
        let write = self.write(cx);
        if write.is_err() && read.is_ok() {
            // What has arrived before the break is still worth having.
            let _ = self.read(cx);
        }
        match (read, write) {
            _ if self.read_ended && self.write_ended => Poll::Ready(None),
            (Ok(_), Ok(_)) if is_lost && self.read_ended => Poll::Ready(Some(CONNECTION_LOST)),
            (Ok(Step::Waits), Ok(Step::Waits)) => Poll::Pending,
            (Ok(_), Ok(_)) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(if is_lost {
                CONNECTION_LOST
            } else {
                RESET_BY_PEER
            })),
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        let mut moved = 0;
        while !self.read_ended {
            let credit = self.control.wishes().credit;
            if credit == 0 {
                return self.read_ahead(cx);
            }
            let limit = MAX_STREAM_DATA_BYTES.min(usize::try_from(credit).unwrap_or(usize::MAX));
            let (count, step) = self.read_chunk(cx, limit)?;
            moved += count;
            if step == Step::Waits {
                return Ok(Step::Waits);
            }
            if moved >= BYTES_PER_TURN {
                return Ok(Step::MayGoOn);
            }
        }
        Ok(Step::Waits)
    }

    /// Reads up to `limit` bytes as one event, without waiting after the first.
    fn read_chunk(&mut self, cx: &mut Context<'_>, limit: usize) -> Result<(usize, Step), Broken> {
        let mut filled = 0;
        let mut ended = false;
        let mut broken = false;
        let mut step = Step::MayGoOn;
        let data = SCRATCH.with_borrow_mut(|scratch| {
            if let Some(byte) = self.ahead.take() {
                scratch[0] = byte;
                filled = 1;
            }
            while filled < limit {
                match Pin::new(&mut self.stream).poll_read(cx, &mut scratch[filled..limit]) {
                    Poll::Ready(Ok(0)) => ended = true,
                    Poll::Ready(Ok(count)) => {
                        filled += count;
                        continue;
                    }
                    Poll::Ready(Err(_)) => broken = true,
                    Poll::Pending => step = Step::Waits,
                }
                break;
            }
            scratch[..filled].to_vec()
        });
        if filled > 0 {
            self.control.wishes().credit -= filled as u64;
            self.events.push(Event::StreamData {
                stream: self.id,
                data,
            });
        }
        if broken {
            return Err(Broken);
        }
        if ended {
            step = self.end_read(cx)?;
        }
        Ok((filled, step))
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        if self.ahead.is_none() {
            let mut byte = [0];
            match Pin::new(&mut self.stream).poll_read(cx, &mut byte) {
                Poll::Ready(Ok(0)) => {
                    self.end_read(cx)?;
                }
                Poll::Ready(Ok(_)) => self.ahead = Some(byte[0]),
                Poll::Ready(Err(_)) => return Err(Broken),
                Poll::Pending => {}
            }
        }
        Ok(Step::Waits)
    }

    /// Distinguishes an end from a reset: yamux reads both as an end, but after a reset it takes no
    /// writes. Once this side has closed its own direction the two look alike.
    ///
    /// Does nothing while the connection is too busy to say; it is asked again when it is not.
    fn end_read(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        if !self.write_ended {
            if Pin::new(&mut self.stream).poll_flush(cx).is_pending() {
                return Ok(Step::Waits);
            }
            // Pending means that the window is used up, and so that the stream stands.
            if let Poll::Ready(Err(_)) = Pin::new(&mut self.stream).poll_write(cx, &[]) {
                return Err(Broken);
            }
        }
        self.read_ended = true;
        self.events.push(Event::StreamEnded { stream: self.id });
        Ok(Step::MayGoOn)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        if self.write_ended {
            return Ok(Step::Waits);
        }
        let mut moved = 0;
        let outcome = self.write_queued(cx, &mut moved);
        if moved > 0 {
            self.events.push(Event::StreamWritten {
                stream: self.id,
                count: moved as u64,
            });
        }
        outcome
    }

    fn write_queued(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Result<Step, Broken> {
        while *moved < BYTES_PER_TURN {
            if self.written == self.writing.len() {
                let mut wishes = self.control.wishes();
                match wishes.writes.pop_front() {
                    Some(next) => {
                        drop(wishes);
                        (self.writing, self.written) = (next, 0);
                    }
                    None if wishes.close_write => {
                        drop(wishes);
                        return self.end_write(cx);
                    }
                    None => {
                        drop(wishes);
                        (self.writing, self.written) = (Vec::new(), 0);
                        return self.flush(cx);
                    }
                }
            }
            let rest = &self.writing[self.written..];
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Broken),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    *moved += count;
                }
                Poll::Pending => return Ok(Step::Waits),
            }
        }
        Ok(Step::MayGoOn)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(Broken),
            _ => Ok(Step::Waits),
        }
    }

    fn end_write(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        match Pin::new(&mut self.stream).poll_close(cx) {
            Poll::Ready(Ok(())) => self.write_ended = true,
            Poll::Ready(Err(_)) => return Err(Broken),
            Poll::Pending => {}
        }
        Ok(Step::Waits)
    }
}
