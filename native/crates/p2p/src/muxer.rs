//! yamux with the windows and frames of this host.
//!
//! `libp2p::yamux` lets neither be set: it sends frames of 16 KiB, and the windows of one
//! connection may grow to 1 GiB.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use yamux::{Connection, ConnectionError, Mode, Stream};

use crate::traffic::{Counted, Counters};

/// Streams of one connection, of both directions and all protocols. A peer that opens more
/// loses the connection.
const MAX_STREAMS: usize = 1024;
/// What a connection may hold unread: the 256 KiB yamux gives each stream, and 64 MiB more for
/// streams that are read fast.
const MAX_WINDOW_BYTES: usize = MAX_STREAMS * 256 * 1024 + (64 << 20);
/// The most data of one frame, which delays the frames of other streams.
const FRAME_BYTES: usize = 64 * 1024;
/// Streams opened by the peer and not yet taken. yamux lets a peer open no more than so many
/// without an answer.
const MAX_UNTAKEN: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    /// Of the peer at the other end.
    pub(crate) counters: Arc<Counters>,
}

fn settings() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config.set_max_connection_receive_window(Some(MAX_WINDOW_BYTES));
    config.set_split_send_size(FRAME_BYTES);
    config
}

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Muxer<C>, io::Error>>;

    fn upgrade_inbound(self, socket: C, _: &'static str) -> Self::Future {
        ready(Ok(Muxer::new(socket, self.counters, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Muxer<C>, io::Error>>;

    fn upgrade_outbound(self, socket: C, _: &'static str) -> Self::Future {
        ready(Ok(Muxer::new(socket, self.counters, Mode::Client)))
    }
}

/// One connection. yamux moves nothing unless it is asked for incoming streams, so every poll
/// asks, and streams that were not requested yet wait here.
pub(crate) struct Muxer<C> {
    connection: Connection<Counted<C>>,
    untaken: VecDeque<Stream>,
    taker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(socket: C, counters: Arc<Counters>, mode: Mode) -> Self {
        Self {
            connection: Connection::new(Counted::new(socket, counters), settings(), mode),
            untaken: VecDeque::new(),
            taker: None,
        }
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        match self.connection.poll_next_inbound(cx) {
            Poll::Ready(Some(outcome)) => Poll::Ready(outcome),
            Poll::Ready(None) => Poll::Ready(Err(ConnectionError::Closed)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.untaken.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let poll = self.poll_connection(cx);
        if poll.is_pending() {
            self.taker = Some(cx.waker().clone());
        }
        poll
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        match self.connection.poll_new_outbound(cx) {
            // It would end the connection. The caller times out, or gets the stream
            // when another has ended: that wakes the connection, which asks again.
            Poll::Ready(Err(ConnectionError::TooManyStreams)) => Poll::Pending,
            poll => poll,
        }
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        loop {
            match self.poll_connection(cx) {
                Poll::Ready(Ok(stream)) if self.untaken.len() < MAX_UNTAKEN => {
                    self.untaken.push_back(stream);
                    if let Some(taker) = self.taker.take() {
                        taker.wake();
                    }
                }
                // Dropping it resets it.
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
