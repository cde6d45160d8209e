"""What the operations of this module need of the network module of their node."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from logos_base import gossip
from logos_base.gossip import Neighbours
from logos_delivery.core.relay.relay_guard import ProofVerdict

Answering = Callable[[str, bytes], Awaitable[bytes | None]]
"""Takes a peer id and a request, untrusted; returns the response, or None for no answer."""


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A node of which the network module knows."""

    peer_id: str
    addresses: tuple[str, ...]
    """Multiaddresses without the peer id, best first."""
    protocols: tuple[str, ...] = ()
    agent: str = ""
    """Untrusted text."""
    is_connected: bool = False
    is_outbound: bool = False
    """Whether this node dialled the connection."""
    dial_failures: int = 0
    """Since the last success."""
    is_bootstrap: bool = False


class Gossip(gossip.Gossip, Protocol):
    """Messages to and from neighbours, and who these are."""

    async def neighbours(self) -> dict[str, Neighbours]:
        """Returns the topics that this node follows. NetworkUnavailableError."""
        ...


class Proofs(Protocol):
    """Rate limits, by the network module."""

    async def prove(self, identifier: bytes, signal: bytes) -> bytes:
        """Spends a message id on a signal; returns the proof, 301 bytes.

        Raises:
            BudgetSpentError: No id is left in this epoch.
            NetworkUnavailableError: There is no proof now; the text says why.
        """
        ...

    async def verify(
        self, identifier: bytes, signal: bytes, proof: bytes
    ) -> tuple[ProofVerdict, str]:
        """Judges a proof of 301 bytes; returns the verdict and its reason.

        Raises NetworkUnavailableError: there is no verdict now.
        """
        ...

    async def convict(self, identifier: bytes, one: bytes, other: bytes) -> bytes | None:
        """Recovers the secret of who has used one id for two messages, 32 bytes, if it can."""
        ...


class Registry(Protocol):
    """Who keeps the members of rate limits."""

    async def report(self, secret: bytes) -> None:
        """Reports a member by its secret, 32 bytes. Idempotent.

        Raises:
            ReportRefusedError: It takes none of this.
            NetworkUnavailableError: It does not now; the text says why.
        """
        ...


class Requests(Protocol):
    """Messages to single peers, and their answers."""

    async def ask(self, peer: str, protocol: str, request: bytes, *, timeout_s: float) -> bytes:
        """Sends a request on a stream of its own; returns the response, untrusted.

        Raises:
            PeerFailedError: The peer cannot be reached, does not speak the protocol, or does
                not answer in time.
            NetworkDeniedError
        """
        ...

    async def serve(self, protocol: str, answer: Answering) -> None:
        """Answers the requests of peers, until cancelled."""
        ...


class MixRequests(Protocol):
    """Requests through the mix-net, which hides who asks."""

    async def is_off(self) -> bool:
        """Says whether the network module of this node does not mix, by its settings."""
        ...

    async def ask(self, codec: str, content: bytes, *, timeout_s: float) -> tuple[str, bytes]:
        """Asks a mix that is drawn by chance; returns its peer id and its answer, untrusted.

        Raises:
            LightPeerMissingError: Too few mixes are known.
            PeerFailedError: No answer came in time; the request may have arrived.
            NetworkUnavailableError, NetworkDeniedError
        """
        ...


class MessageStream(Protocol):
    """A stream to a peer with several messages each way; one reader and one writer at a time."""

    @property
    def peer_id(self) -> str:
        """Who is at the other end."""
        ...

    async def send(self, message: bytes) -> None:
        """Sends a message; waits while the peer does not read. PeerFailedError."""
        ...

    async def receive(self) -> bytes | None:
        """Returns the next message, untrusted; None where the peer has ended its side.

        Raises:
            PeerFailedError: The stream has broken.
            LightFrameError: What comes is no message, or one that is too long.
        """
        ...

    async def end(self) -> None:
        """Ends the sending side. PeerFailedError."""
        ...


class MessageStreams(Protocol):
    """Streams of messages to single peers."""

    def open(
        self, peer: str, protocol: str, max_bytes: int
    ) -> AbstractAsyncContextManager[MessageStream]:
        """Opens a stream whose messages have at most so many bytes; reset at the end unless
        both sides have ended.

        Raises PeerFailedError, NetworkDeniedError as it is entered.
        """
        ...

    async def serve(
        self,
        protocol: str,
        take: Callable[[MessageStream], Awaitable[None]],
        max_bytes: int,
        max_streams: int,
    ) -> None:
        """Hands the streams that peers open to `take`, until cancelled."""
        ...


class Services(Protocol):
    """Who offers a service."""

    async def offer(self, service: str) -> None:
        """Offers a service of this node, until the module stops: until cancelled."""
        ...

    async def find(self, service: str) -> Sequence[str]:
        """Returns peers that offer a service: connected ones first, then those known of."""
        ...

    async def connected(self, service: str) -> Sequence[str]:
        """Returns the connected peers that speak its protocol. NetworkUnavailableError."""
        ...

    async def looked_up(self, service: str, limit: int) -> Sequence[str]:
        """Returns peers that discovery finds to offer a service, connected or not."""
        ...


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What the network module says of this node."""

    peer_id: str
    addresses: tuple[str, ...]
    """Multiaddresses at which it listens, with the peer id."""
    announced: tuple[str, ...] = ()
    """Those at which others reach it, without the peer id, IPv4 first."""


class Identity(Protocol):
    """Who this node is, and its signature."""

    async def identity(self) -> NodeIdentity:
        """Returns who this node is. NetworkUnavailableError."""
        ...

    async def sign_node_record(self, content: bytes) -> bytes:
        """Signs what this node says of itself; returns 64 bytes, untrusted.

        Raises NetworkUnavailableError, whose text says why, NetworkDeniedError.
        """
        ...


class NamesPeers(Protocol):
    """Whom to tell where other nodes are."""

    async def name(self, source: str, peers: Mapping[str, Sequence[str]]) -> int:
        """Has the address book take addresses by peer id, 64 at most; returns how many are new.

        Args:
            source: Who says so; empty: the settings of this node.
            peers: Untrusted.

        Raises NetworkUnavailableError, NetworkDeniedError.
        """
        ...


class Peers(Protocol):
    """The address book of this node."""

    async def known(self) -> Sequence[KnownPeer]:
        """Returns the peers that are known, at most 10,000. NetworkUnavailableError."""
        ...

    async def connect(self, address: str) -> str:
        """Dials a multiaddress; returns the peer id of the node there.

        Raises ConnectFailedError, NetworkUnavailableError.
        """
        ...
