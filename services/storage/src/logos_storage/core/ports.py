"""What operations need from the store and the network."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from logos_storage.core.batch import VerifiedBatch
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.cid import Cid
from logos_storage.core.manifest import Manifest
from logos_storage.core.types import TreeShape
from logos_storage.core.wire import BlockRange, Response, ServedBlock, WantBlocks


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset and how much of it this node holds."""

    number: int
    """Increases with every dataset stored; orders the list."""
    cid: Cid
    manifest: Manifest
    stored_at_us: int
    blocks_held: int

    @property
    def is_complete(self) -> bool:
        return self.blocks_held == self.manifest.shape.block_count


@dataclass(frozen=True, slots=True)
class Description:
    """Metadata of content to put."""

    block_size_bytes: int
    filename: str = ""
    mimetype: str = ""
    size_hint_bytes: int = 0
    """Reserved before the content comes; 0: not known."""


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """How much room there is, in bytes."""

    quota_bytes: int
    used_bytes: int
    reserved_bytes: int
    disk_free_bytes: int
    datasets: int


class Tree(Protocol):
    """An open tree, kept from deletion while it is open."""

    @property
    def shape(self) -> TreeShape: ...

    @property
    def bitfield(self) -> Bitfield: ...

    async def read(self, first: int, end: int) -> list[memoryview]:
        """Returns whole blocks [first, end), padded and verified (STO-18), in pieces of any size.

        Raises:
            BadDataError: They have decayed.
        """
        ...

    async def serve(self, ranges: Sequence[BlockRange]) -> list[ServedBlock]:
        """Reads what is here of the ranges, verified, with proofs."""
        ...

    async def keep(self, batch: VerifiedBatch, size_bytes: int) -> None:
        """Keeps blocks; `bitfield` has them when this returns.

        Args:
            batch: Verified against this tree.
            size_bytes: Size of the content; the padding after it is not written.

        Raises:
            QuotaExceededError, DiskFullError: There is no room.
        """
        ...

    def reserve(self, first: int, end: int) -> AbstractAsyncContextManager[None]:
        """Reserves room for what is missing of [first, end); QuotaExceededError."""
        ...


class Datasets(Protocol):
    """The store of one node."""

    async def put(
        self, description: Description, content: AsyncIterator[bytes | memoryview]
    ) -> DatasetRecord:
        """Stores content, on disk when this returns; content that breaks off leaves nothing.

        Raises:
            QuotaExceededError, DiskFullError: There is no room.
        """
        ...

    async def find(self, cid: Cid) -> DatasetRecord | None:
        """Returns a dataset of which this node holds at least the manifest."""
        ...

    async def adopt(self, cid: Cid, raw: bytes) -> DatasetRecord:
        """Adds the dataset of a verified manifest, so that its blocks can be kept.

        Raises:
            QuotaExceededError: The whole dataset is larger than the quota, whatever
                part of it is wanted; nothing is allocated for it.
        """
        ...

    async def manifest(self, cid: Cid) -> bytes | None:
        """Returns the bytes of a manifest that this node holds."""
        ...

    def open(self, record: DatasetRecord) -> AbstractAsyncContextManager[Tree]:
        """Opens the tree of a dataset; DatasetUnknownError if it was deleted meanwhile."""
        ...

    def open_served(self, tree_cid: Cid) -> AbstractAsyncContextManager[Tree | None]:
        """Opens a tree by its CID: the one of which this node holds most; None if there is none."""
        ...

    async def delete(self, cid: Cid) -> int:
        """Deletes a dataset; returns the bytes freed. DatasetBusyError."""
        ...

    async def delete_empty(self, cid: Cid) -> None:
        """Deletes a dataset of which no block is here; others stay. DatasetBusyError."""
        ...

    async def page(self, *, below: int | None, limit: int) -> list[DatasetRecord]:
        """Returns datasets, newest first, whose number is below a bound."""
        ...

    async def held_cids(self) -> list[Cid]:
        """Returns the manifests of which this node holds at least one block, or all."""
        ...

    async def space(self) -> SpaceReport: ...


class Providers(Protocol):
    """Looks up and advertises which peers hold which manifests."""

    def find(self, cid: Cid) -> AsyncGenerator[str, None]:
        """Yields the peers that advertise a manifest; ends early where the search fails.

        Raises:
            NetworkDeniedError
        """
        ...

    async def advertise(self, cids: Sequence[Cid], *, is_held: bool) -> None:
        """Advertises up to 1000 manifests from now on, or no longer; NetworkUnavailableError."""
        ...


class Provider(Protocol):
    """An open stream to a peer that serves blocks. One sender and one receiver."""

    async def request(self, request: WantBlocks) -> None:
        """Sends a request; waits while the peer is slow. StreamLostError."""
        ...

    def responses(self) -> AsyncIterator[Response]:
        """Yields what the peer answers until it ends the stream.

        Raises:
            FrameMalformedError, StreamLostError
        """
        ...


class Exchange(Protocol):
    """Asks other nodes for manifests and blocks."""

    async def manifest(self, peer: str, cid: Cid) -> bytes | None:
        """Asks a peer for a manifest: its bytes, not verified, or None if it has none.

        Raises:
            FrameMalformedError, StreamLostError
        """
        ...

    def connect(self, peer: str, *, limit_bytes: int) -> AbstractAsyncContextManager[Provider]:
        """Opens a stream for blocks; no response of more than `limit_bytes` is taken.

        Raises:
            StreamLostError, NetworkDeniedError
        """
        ...


class Consumer(Protocol):
    """An open stream from a peer that wants blocks. One sender and one receiver."""

    def requests(self, idle: Callable[[], Awaitable[None]]) -> AsyncIterator[WantBlocks]:
        """Yields what the peer asks for until it ends; calls `idle` when it asks for nothing.

        Raises:
            FrameMalformedError, StreamLostError, TimeoutError
        """
        ...

    async def respond(
        self, request: WantBlocks, leaf_count: int, blocks: Sequence[ServedBlock]
    ) -> None:
        """Sends blocks; StreamLostError, or TimeoutError where the peer does not read."""
        ...

    async def end(self) -> None:
        """Ends the sending side."""
        ...
