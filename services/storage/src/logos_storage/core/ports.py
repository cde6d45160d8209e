"""What the rooms around the core offer one another."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from logos_storage.core.cid import Cid
from logos_storage.core.manifest import Manifest
from logos_storage.core.presence import Presence
from logos_storage.core.types import TreeShape
from logos_storage.core.wire import BlockRange, ServedBlock, WantBlocks


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset, as far as this node holds it."""

    number: int
    """Grows with every dataset stored; orders the list."""
    cid: Cid
    manifest: Manifest
    stored_at_us: int
    blocks_held: int

    @property
    def is_complete(self) -> bool:
        return self.blocks_held == self.manifest.shape.block_count


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """How much room there is, in bytes."""

    quota_bytes: int
    used_bytes: int
    reserved_bytes: int
    disk_free_bytes: int
    datasets: int


class Upload(Protocol):
    """A put under way."""

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the next bytes; waits while the disk is behind."""
        ...

    async def finish(self) -> DatasetRecord:
        """Makes the content a dataset, on disk when this returns."""
        ...


class Tree(Protocol):
    """An open tree, kept from deletion while it is open."""

    @property
    def shape(self) -> TreeShape: ...

    @property
    def presence(self) -> Presence: ...

    async def read(self, first: int, end: int) -> list[memoryview]:
        """Returns whole blocks [first, end), padded and verified, in pieces of any size.

        Raises:
            BadDataError: They have decayed.
        """
        ...

    async def serve(self, ranges: Sequence[BlockRange]) -> list[ServedBlock]:
        """Reads what is here of the ranges, verified, with proofs."""
        ...

    async def keep(self, body: memoryview, request: WantBlocks, size_bytes: int) -> frozenset[int]:
        """Checks the answer to a request and keeps its blocks; returns which.

        Raises:
            FrameMalformedError, BlockRefusedError, ProofRefusedError: It is false,
                and nothing of it was kept.
            QuotaExceededError, DiskFullError: There is no room.
        """
        ...

    def reserve(self, first: int, end: int) -> AbstractAsyncContextManager[None]:
        """Reserves room for what is missing of [first, end); QuotaExceededError."""
        ...


class Datasets(Protocol):
    """The store of one node."""

    def put(
        self, *, block_size_bytes: int, filename: str, mimetype: str, size_hint_bytes: int
    ) -> AbstractAsyncContextManager[Upload]:
        """Opens a put; what is not finished at the end leaves nothing."""
        ...

    async def find(self, cid: Cid) -> DatasetRecord | None:
        """Returns a dataset of which this node holds at least the manifest."""
        ...

    async def adopt(self, cid: Cid, raw: bytes) -> DatasetRecord:
        """Takes on a verified manifest, so that its blocks can be kept."""
        ...

    async def manifest(self, cid: Cid) -> bytes | None:
        """Returns the bytes of a manifest that this node holds."""
        ...

    def open(self, record: DatasetRecord) -> AbstractAsyncContextManager[Tree]:
        """Opens the tree of a dataset; DatasetUnknownError if it was deleted meanwhile."""
        ...

    def open_served(self, tree_cid: Cid) -> AbstractAsyncContextManager[Tree | None]:
        """Opens the tree of which this node holds most, by what peers call it."""
        ...

    async def drop_if_empty(self, cid: Cid) -> None:
        """Deletes a dataset of which no block came."""
        ...

    async def delete(self, cid: Cid) -> int:
        """Deletes a dataset; returns the bytes freed. DatasetBusyError."""
        ...

    async def page(self, *, below: int | None, limit: int) -> list[DatasetRecord]:
        """Returns datasets, newest first, whose number is below a bound."""
        ...

    async def held_cids(self) -> list[Cid]:
        """Returns the manifests of which this node holds at least one block, or all."""
        ...

    async def space(self) -> SpaceReport: ...


class Fetching(Protocol):
    """Gets from other nodes what this one lacks."""

    async def manifest(self, cid: Cid, *, patience_ms: int) -> bytes:
        """Fetches and verifies a manifest.

        Raises:
            NoProvidersError, ProvidersUnreachableError, BadDataError
        """
        ...

    def blocks(
        self, record: DatasetRecord, tree: Tree, first: int, end: int, *, patience_ms: int
    ) -> AbstractAsyncContextManager["Arrivals"]:
        """Fetches what is missing of [first, end) for as long as this is open."""
        ...


class Arrivals(Protocol):
    """One reader of a fetch."""

    async def wait(self, first: int, end: int) -> None:
        """Returns once [first, end) is here; everything below `first` is done with.

        Raises:
            NoProvidersError, ProvidersUnreachableError, BadDataError,
            QuotaExceededError, DiskFullError
        """
        ...


class Announcing(Protocol):
    """Tells other nodes what this one holds, when the network lets it."""

    def announce(self, cid: Cid) -> None: ...

    def withdraw(self, cid: Cid) -> None: ...


ByteStream = AsyncIterator[bytes]
