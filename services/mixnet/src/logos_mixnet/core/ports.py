"""What the servicers need from the network, and the network from its stores."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.discovery import Provider
from logos_mixnet.core.flow import MAX_FRAME_BYTES
from logos_mixnet.core.gossip import FollowedTopic, Verdict
from logos_mixnet.core.peering import HostEffect
from logos_mixnet.core.traffic import Traffic


class PeerStore(Protocol):
    """The address book and the bans on disk. Every call is durable when it returns."""

    async def load_peers(self) -> list[PeerRecord]:
        """Returns every peer that was kept."""
        ...

    async def save_peers(self, changes: Changes) -> None:
        """Writes changes of the book, all or none."""
        ...

    async def load_bans(self) -> list[Ban]:
        """Returns every ban."""
        ...

    async def save_ban(self, ban: Ban) -> None:
        """Adds a ban, or replaces that of the same peer."""
        ...

    async def remove_ban(self, peer_id: str) -> None:
        """Removes a ban. Idempotent."""
        ...


class PeerHost(Protocol):
    """Connections to peers."""

    async def dial(self, address: Address) -> str:
        """Returns the peer id of the node at an address, connected; or raises `DialFailedError`."""
        ...

    def perform(self, effect: HostEffect) -> None:
        """Begins what an effect asks for."""
        ...

    def traffic(self) -> Mapping[str, Traffic]:
        """Returns what the link to each connected peer has carried, by peer id."""
        ...


class GossipHost(Protocol):
    """Gossip between nodes."""

    async def publish(self, topic: str, data: bytes) -> None:
        """Hands a message to the network at once, and waits until a peer has it.

        Raises:
            DuplicateMessageError, QueueFullError, MessageSizeError, NoPeersError
        """
        ...

    def judge(self, message_id: bytes, from_peer_id: str, verdict: Verdict) -> None: ...
    def follow(self, topic: str) -> None: ...
    def leave(self, topic: str) -> None: ...
    async def topics(self) -> list[FollowedTopic]:
        """Returns the topics that this node follows, by name."""
        ...


class Stream(Protocol):
    """One byte stream to a peer."""

    @property
    def peer_id(self) -> str: ...
    async def read(self, most: int = MAX_FRAME_BYTES) -> list[bytes]:
        """Waits for pieces; none once the peer has ended its direction.

        Args:
            most: Bytes, or one piece that is larger. The window of who takes less than
                `MAX_FRAME_BYTES` at once does not grow.

        Raises:
            StreamResetError: The peer or its connection went away.
        """
        ...

    async def write(self, data: bytes | memoryview) -> None:
        """Takes bytes over, and returns when there is room for more.

        Nothing happens once the stream is closed: `read` says why.
        """
        ...

    def close_write(self) -> None:
        """Ends this node's direction."""
        ...

    async def wait_closed(self) -> None:
        """Waits until both directions have ended, or raises `StreamResetError`."""
        ...

    def reset(self) -> None:
        """Drops the stream, unless it has ended. Idempotent."""
        ...


class StreamHost(Protocol):
    """Streams to and from peers."""

    def listen(self, protocol: str) -> None: ...
    def unlisten(self, protocol: str) -> None: ...
    async def open(self, peer_id: str, protocol: str) -> Stream:
        """Opens a stream to a peer.

        Raises:
            PeerBannedError, PeerUnreachableError, ProtocolNotSupportedError, StreamResetError,
            TooManyStreamsError
        """
        ...

    def accept(self, stream_id: int) -> Stream:
        """Lets the first bytes of an announced stream in."""
        ...

    def reset(self, stream_id: int) -> None:
        """Drops a stream, unless it has ended."""
        ...


Found = Callable[[Sequence[Provider], bool], None]
"""Takes providers that others name, and whether the search is over."""


class DiscoveryHost(Protocol):
    """Provider records in the network."""

    async def provide(self, key: bytes) -> str | None:
        """Announces a key; returns why it could not, or None."""
        ...

    def stop_providing(self, key: bytes) -> None: ...
    def search(self, key: bytes, found: Found) -> AbstractContextManager[None]:
        """Searches for providers of a key for as long as the context is open."""
        ...

    def add_address(self, peer_id: str, address: str) -> None:
        """Takes note of an address at which a peer can be dialled."""
        ...
