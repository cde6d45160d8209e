"""Storage nodes of a simulated world: the machines, the wire format and the checks of the product.

The network module is played by `Links`; the store by a `Disk`. A provider answers with real
frames, and what it answers is checked as the product checks it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from logos_simulation.links import Links
from logos_simulation.node import Node, Run
from logos_simulation.world import World
from logos_storage.core import flush, wire
from logos_storage.core.batch import check_batch
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.cid import TREE, Cid
from logos_storage.core.errors import FalseDataError
from logos_storage.core.fetch import Close, Effect, Fetch, FetchSettings, Open, Request, Search
from logos_storage.core.flush import Flush
from logos_storage.core.types import TreeShape
from logos_storage.core.wire import ServedBlock, WantBlocks
from reference_tree import ReferenceTree

BLOCK_BYTES = 4096
SETTINGS = FetchSettings(window_blocks=64, first_batch_blocks=2, max_batch_blocks=16)
PATIENCE_MS = 20_000
RETRY_MS = 1000
DATA, BITMAP = "data", "bitmap"


class Nature(Enum):
    HONEST = auto()
    LIAR = auto()
    STALLER = auto()


@dataclass(frozen=True)
class Dataset:
    """Content with its tree, as an honest provider holds it."""

    blocks: list[bytes]
    digests: list[bytes] = field(init=False)
    tree: ReferenceTree = field(init=False)
    shape: TreeShape = field(init=False)

    def __post_init__(self) -> None:
        digests = [hashlib.sha256(block).digest() for block in self.blocks]
        tree = ReferenceTree(digests)
        shape = TreeShape(Cid(TREE, tree.root), BLOCK_BYTES, len(digests))
        for name, value in (("digests", digests), ("tree", tree), ("shape", shape)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, block_count: int) -> "Dataset":
        return cls(
            [hashlib.shake_128(str(at).encode()).digest(BLOCK_BYTES) for at in range(block_count)]
        )

    @property
    def size_bytes(self) -> int:
        return len(self.blocks) * BLOCK_BYTES

    def served(self, index: int, data: bytes) -> ServedBlock:
        path = self.tree.proof(index).path
        return ServedBlock(index, hashlib.sha256(data).digest(), data, path)


class StorageNode:
    """A node that holds some of a dataset, serves it, and fetches the rest."""

    def __init__(self, city: "City", name: str, nature: Nature, held: int, *, wants: bool) -> None:
        self.city = city
        self.nature = nature
        self.wants = wants
        self.tries_again = True
        """Whether its user gets again what it could not get."""
        self.failures: list[Exception] = []
        self.numbers = count()
        """Of streams: none is used again, also after a crash."""
        self.node = Node(city.world, name, self._boot)
        self.bitfield = Bitfield(len(city.dataset.blocks))
        disk = self.node.disk
        for index in range(held):
            disk.write(DATA, index, city.dataset.blocks[index])
            self.bitfield.add(index)
        disk.sync(DATA)
        disk.write(BITMAP, 0, self.bitfield.to_bytes())
        disk.sync(BITMAP)

    @property
    def is_done(self) -> bool:
        return self.bitfield.is_full

    def _boot(self, node: Node) -> None:
        bits = node.disk.read(BITMAP, 0)
        self.bitfield = Bitfield(
            len(self.city.dataset.blocks), bits if isinstance(bits, bytes) else None
        )
        self.flush = Flush(self.bitfield, node.now_ms)
        self.flushes: Run[flush.Effect] = Run(node, self.flush, self._make_durable)
        self.banned: set[str] = set()
        self.links: dict[str, int] = {}
        self.asked: dict[tuple[str, int], WantBlocks] = {}
        self.machine = Fetch(SETTINGS, self.bitfield)
        self.run: Run[Effect] = Run(node, self.machine, self._perform)
        if self.wants and not self.is_done:
            self._want()

    def _want(self) -> None:
        end = len(self.city.dataset.blocks)
        self.run.put(self.machine.want, 1, 0, end, PATIENCE_MS)
        self._read_on()

    def _read_on(self) -> None:
        """Waits for the next block, as a reader that follows closely does."""
        end = len(self.city.dataset.blocks)
        position = next(self.bitfield.missing(0, end), end)
        if position == end:
            self.run.put(self.machine.release, 1)
            return

        def done(outcome: object) -> None:
            if not isinstance(outcome, Exception):
                self._read_on()
                return
            self.failures.append(outcome)
            if self.tries_again:
                self.node.after(RETRY_MS, self._want)

        self.run.ask(done, self.machine.wait, 1, position, position + 1)

    # -- what the product's operation does ---------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Open(peer=peer):
                self._open(peer)
            case Request():
                self._request(effect)
            case Close(peer=peer):
                self._forget(peer)
            case Search():
                self.node.after(self.city.links.delay_ms(), self._searched)

    def _searched(self) -> None:
        peers = [
            name
            for name, other in self.city.nodes.items()
            if other is not self and (other.bitfield.held or other.nature is not Nature.HONEST)
        ]
        self.run.put(self.machine.found, peers)
        self.run.put(self.machine.search_ended)

    def _open(self, peer: str) -> None:
        self.city.world.require(peer not in self.links, "a provider is opened once at a time")
        self.city.world.require(peer not in self.banned, "a banned provider stays banned")
        link = self.links[peer] = next(self.numbers)

        def opened() -> None:
            if self.links.get(peer) == link:
                self.run.put(self.machine.opened, peer)

        self._round_trip(peer, link, lambda: None, opened)

    def _round_trip(
        self, peer: str, link: int, there: Callable[[], object], back: Callable[[], None]
    ) -> None:
        """Sends a message and an answer; either may break the stream."""
        other = self.city.nodes[peer].node

        def lost() -> None:
            if self.links.get(peer) == link:
                self._forget(peer)
                self.run.put(self.machine.lost, peer)

        def arrives() -> None:
            there()
            self.city.links.send(other, self.node, back)

        self.city.links.send(self.node, other, arrives, lost)

    def _request(self, request: Request) -> None:
        shape = self.city.dataset.shape
        wanted = WantBlocks(request.request_id, shape.tree_cid, request.ranges)
        self._check_request(request, wanted)
        self.asked[request.peer, request.request_id] = wanted
        link = self.links[request.peer]
        provider = self.city.nodes[request.peer]
        frame: list[bytes] = []

        def answered() -> None:
            if self.links.get(request.peer) == link:
                self._received(request.peer, memoryview(frame[0]))

        if provider.nature is not Nature.STALLER:
            self._round_trip(
                request.peer, link, lambda: frame.append(provider.serve(wanted)), answered
            )

    def _check_request(self, request: Request, wanted: WantBlocks) -> None:
        require = self.city.world.require
        blocks = {at for one in wanted.ranges for at in range(one.start, one.end)}
        owed = {
            at
            for (peer, _), earlier in self.asked.items()
            if peer == request.peer
            for one in earlier.ranges
            for at in range(one.start, one.end)
        }
        require(request.peer in self.links, "requests go to open providers")
        require(len(self.asked) < SETTINGS.max_in_flight, "batches in flight are bounded")
        require(wanted.block_count <= SETTINGS.max_batch_blocks, "batches are bounded")
        require(not owed & blocks, "a provider is asked once for what it owes")
        require(not any(at in self.bitfield for at in blocks), "what is here is not fetched")

    def serve(self, request: WantBlocks) -> bytes:
        """Answers with what is here; a liar changes a byte, and what proves it as it can."""
        dataset = self.city.dataset
        blocks = []
        for index in (at for one in request.ranges for at in range(one.start, one.end)):
            data = self.node.disk.read(DATA, index)
            if self.nature is Nature.LIAR:
                true = dataset.blocks[index]
                data = true[:100] + bytes((true[100] ^ 1,)) + true[101:]
            if isinstance(data, bytes):
                blocks.append(dataset.served(index, data))
        pieces = wire.encode_response(
            request.request_id, request.tree_cid, len(dataset.blocks), blocks
        )
        return b"".join(pieces)[5:]

    def _received(self, peer: str, body: memoryview) -> None:
        request = self.asked.pop((peer, wire.response_request_id(body)))
        self.run.put(self.machine.arrived, peer, request.request_id)
        dataset = self.city.dataset
        try:
            batch = check_batch(body, request, dataset.shape, dataset.size_bytes)
        except FalseDataError:
            self._forget(peer)
            self.banned.add(peer)
            self.run.put(self.machine.refused, peer)
            return
        for block in batch.blocks:
            self.node.disk.write(DATA, block.index, bytes(block.data))
            self.bitfield.add(block.index)
        self.flushes.put(self.flush.written, len(batch.blocks) * BLOCK_BYTES)
        kept = frozenset(block.index for block in batch.blocks)
        self.run.put(self.machine.stored, peer, request.request_id, kept)

    def _make_durable(self, effect: flush.Effect) -> None:
        disk, slow_ms = self.node.disk, self.city.world.chance.between(1, 500)

        def sync() -> None:
            disk.sync(DATA)
            self.flushes.put(self.flush.synced)

        def note(bits: bytes) -> None:
            disk.write(BITMAP, 0, bits)
            self.flushes.put(self.flush.noted)

        match effect:
            case flush.Sync():
                self.node.after(slow_ms, sync)
            case flush.Note(bits=bits):
                self.node.after(slow_ms, lambda: note(bits))
            case flush.Complete():
                self.node.after(slow_ms, lambda: note(self.bitfield.to_bytes()))

    def _forget(self, peer: str) -> None:
        self.links.pop(peer, None)
        self.asked = {key: value for key, value in self.asked.items() if key[0] != peer}


class City:
    """A network of storage nodes around one dataset."""

    def __init__(self, world: World, links: Links, dataset: Dataset) -> None:
        self.world = world
        self.links = links
        self.dataset = dataset
        self.nodes: dict[str, StorageNode] = {}

    def add(
        self,
        kind: str,
        number: int,
        nature: Nature = Nature.HONEST,
        *,
        held: int = 0,
        wants: bool = False,
        within_ms: int = 3000,
    ) -> list[StorageNode]:
        """Adds nodes of a kind; they start within some time."""
        added = []
        for place in range(number):
            name = f"{kind}{place}"
            one = self.nodes[name] = StorageNode(self, name, nature, held, wants=wants)
            self.world.after(self.world.chance.below(within_ms), one.node.start)
            added.append(one)
        return added

    def check(self) -> None:
        """What a node says that it holds is there and true."""
        for name, one in self.nodes.items():
            for index, true in enumerate(self.dataset.blocks):
                if index in one.bitfield:
                    is_true = one.node.disk.read(DATA, index) == true
                    self.world.require(is_true, f"{name} holds a false block, or lacks it")
