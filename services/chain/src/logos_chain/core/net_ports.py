"""What a chain's operations ask of the network module of their node, and of the mempool.

Spec: docs/protocol/chain-network.md, CNW-2, CNW-7, CNW-21; chain-http.md, HTP-19.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from logos_chain.core.mempool.errors import Reason
from logos_mantle.transactions import SignedTransaction


class SyncStream(Protocol):
    """A stream of the synchronisation to one peer; one reader and one writer at a time."""

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        ...

    async def send(self, message: bytes) -> None:
        """Sends a message; waits while the peer does not read. StreamLostError."""
        ...

    async def receive(self, limit: int) -> bytes | None:
        """Returns the next message, or None where the peer has ended its side. Untrusted.

        Args:
            limit: Of its bytes.

        Raises:
            StreamLostError: The stream has broken.
            SyncTooLargeError: The message is over the limit; it was not read.
            SyncMalformedError: The peer has ended its side within a message.
        """
        ...

    async def end(self) -> None:
        """Ends the sending side. StreamLostError."""
        ...

    async def finish(self) -> None:
        """Waits until the peer has ended its side, too; what it still sends is dropped.

        Before that, leaving the stream may take back what was sent last. StreamLostError.
        """
        ...


AnswerStream = Callable[[SyncStream], Awaitable[None]]
"""Answers on a stream. Errors of peers end the stream: StreamLostError, RemoteFaultError,
TimeoutError."""


class SyncPeers(Protocol):
    """The peers that speak the synchronisation."""

    def open(self, peer: str) -> AbstractAsyncContextManager[SyncStream]:
        """Opens a stream to a peer; it is reset at the end unless both sides have ended.

        Raises StreamLostError, NetworkDeniedError.
        """
        ...

    async def serve(self, answer: AnswerStream) -> None:
        """Hands the streams of peers to `answer`, until cancelled; a bounded number at a time."""
        ...

    async def connected(self) -> Sequence[str]:
        """Returns the connected peers that speak the protocol. NetworkUnavailableError."""
        ...


class Transactions(Protocol):
    """The transactions that wait for a block."""

    async def received(self, raw: bytes, source: str) -> Reason | None:
        """Takes a transaction; returns why it does not wait now. Untrusted.

        Args:
            raw: At most 2 MiB.
            source: The neighbour that has passed it on.
        """
        ...

    def get(self, transaction: bytes) -> SignedTransaction | None:
        """Returns a transaction that waits, by its hash, 32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkStanding:
    """What the network module says of this node."""

    peer_id: str
    listen_addresses: tuple[str, ...]
    """Multiaddresses, without the peer id."""
    connected: tuple[str, ...]
    """Peer ids."""
    known: tuple[str, ...]
    """Peer ids of its address book, the connected ones among them; at most 4,096."""


class NetworkInformation(Protocol):
    """What this node's network module knows."""

    async def standing(self) -> NetworkStanding:
        """Returns it. NetworkUnavailableError, NetworkDeniedError."""
        ...
