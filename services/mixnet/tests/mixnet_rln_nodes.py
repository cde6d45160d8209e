"""Nodes that keep rate limits, on fake hosts, with time that stands still unless it is moved."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mixnet_fake_host import Switchboard
from mixnet_nodes import ManualClock, RunningNode, fake_address, running, until
from mixnet_rln import LIMIT, Node, has_signed

from logos_base.errors import LogosError
from logos_crypto import base58
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.rln.ports import MembershipStore, MessageIdStore
from logos_mixnet.operations.rln import RlnMember, RlnOperations
from mixnet_memory_stores import MemoryMembers, MemoryMessageIdStore

EPOCHS: Final = Epochs()
PROOF_BYTES: Final = 301


@dataclass
class RlnNode:
    """One node of the tests."""

    node: Node
    rln: RlnOperations
    running: RunningNode

    @property
    def roots(self) -> tuple[bytes, ...]:
        return self.rln.standing.roots

    @property
    def root(self) -> bytes:
        return self.roots[0] if self.roots else b""

    async def refusal(self, packet: bytes, proof: bytes) -> str | None:
        """Why a packet is dropped; None if it is not."""
        try:
            await self.rln.check(packet, proof)
        except LogosError as error:
            return error.reason
        return None


class RlnNetwork:
    """Nodes on one switchboard, and their time."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.board = Switchboard()
        self.clock = ManualClock(5_000_000_000)
        self.nodes: list[RlnNode] = []
        self._folder = folder
        self._stack = stack

    async def start(
        self,
        node: Node,
        *,
        neighbours: tuple[int, ...] | None = None,
        store: MembershipStore | None = None,
        ids: Callable[[bytes], MessageIdStore] | None = None,
        limit: int = LIMIT,
        prepared: Callable[[RlnOperations], None] = lambda _rln: None,
        is_new: bool = False,
    ) -> RlnNode:
        """Starts a node. `neighbours`: which it dials, by number; all that are there if None."""
        number = len(self.nodes) + 1
        host = self.board.host(base58.encode(node.peer_id), fake_address(number))
        kept: dict[bytes, MessageIdStore] = defaultdict(MemoryMessageIdStore)
        member = RlnMember(
            node.identity, node.peer_id, node.sign, has_signed, limit, EPOCHS, is_new
        )
        rln = RlnOperations(
            member,
            store or MemoryMembers(is_open=True),
            ids or kept.__getitem__,
            self.clock.now_ms,
        )
        prepared(rln)
        others = range(1, number) if neighbours is None else neighbours
        entered = await self._stack.enter_async_context(
            running(
                host,
                self._folder / f"r{number}.sock",
                rln=rln,
                bootstrap=[fake_address(each) for each in others],
            )
        )
        started = RlnNode(node, rln, entered)
        self.nodes.append(started)
        return started

    def wait_epochs(self, count: int = 1) -> None:
        """Moves everybody's clock."""
        for _ in range(count):
            self.clock.ms += EPOCHS.period_ms
            self.look()

    def look(self) -> None:
        for each in self.nodes:
            each.rln.look()

    async def settle(self, members: int) -> None:
        """Waits until all nodes know so many members, and has the next epoch begin."""
        await until(lambda: all(_known(each) == members for each in self.nodes))
        self.wait_epochs()
        await until(lambda: all(_counted(each) == members for each in self.nodes))
        assert len({each.root for each in self.nodes}) == 1


def _known(node: RlnNode) -> int:
    return len(node.rln.members.machine.announcements)


def _counted(node: RlnNode) -> int:
    return node.rln.members.machine.count


@asynccontextmanager
async def rln_network(folder: Path) -> AsyncIterator[RlnNetwork]:
    async with AsyncExitStack() as stack:
        yield RlnNetwork(folder, stack)


async def proven(node: RlnNode, packet: bytes, purpose: Purpose = Purpose.FORWARD) -> Any:
    """The proof of a packet, or the reason for which there is none."""
    try:
        return await node.rln.prove(packet, purpose)
    except LogosError as error:
        return error.reason
