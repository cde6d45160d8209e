"""Downloads of a simulated node: the product's machine, with streams over the simulated links.

A stream loses nothing, but breaks when a side is cut off or goes down.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from chain_claims import Parcel
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.sync.downloading import (
    ROUNDS,
    Apply,
    AskBlocks,
    AskTip,
    Diverged,
    Downloading,
    Effect,
    Ended,
    EndPeer,
    ReadNext,
    anchor_heights,
)
from logos_chain.core.consensus.sync.serving import Answered, answer
from logos_chain.core.consensus.types import BlockId
from logos_simulation.node import Run

if TYPE_CHECKING:
    from chain_nodes import ChainNode

T = TypeVar("T")
READ_MS = 5
"""Between two blocks of a stream."""


class Download:
    """One run of a node."""

    def __init__(
        self,
        node: "ChainNode",
        peers: Sequence[str],
        target: BlockId | None,
        ended: Callable[[bool], None],
    ) -> None:
        self._node = node
        self._ended = ended
        self._streams: dict[int, list[Parcel]] = {}
        self._reading: Parcel | None = None
        rounds = ROUNDS if target is None else 1
        self._machine = Downloading(node, peers, target, rounds=rounds)
        self._run: Run[Effect] = Run(node.node, self._machine, self._perform)
        self._run.put(self._machine.begin)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case AskTip(call, peer):
                self._ask(call, peer, lambda other: other.tip(), partial(self._tip, call))
            case AskBlocks(call, peer, request):
                self._ask(
                    call,
                    peer,
                    lambda other: other.blocks(answer(request, other.kept)),
                    partial(self._answered, call, peer),
                )
            case ReadNext(call, peer):
                self._read(call, peer)
            case Apply(call, peer, block):
                self._apply(call, peer, block)
            case EndPeer(peer, reason):
                self._node.ends.append((peer, reason))
            case Diverged(peer):
                node, other = self._node, self._node.network.nodes[peer]
                is_so = not node.kept.agrees_with(other.kept)
                (node.diverged if is_so else node.behind).append(effect)
            case Ended(is_complete):
                self._ended(is_complete)

    def _ask(
        self,
        call: int,
        peer: str,
        serve: Callable[["ChainNode"], T],
        back: Callable[[T], None],
    ) -> None:
        """Sends a request and its answer; the stream breaks if they are parted, or one is down."""
        network, other = self._node.network, self._node.network.nodes[peer]

        def lost() -> None:
            self._run.report(self._machine.lost, call)

        def there() -> None:
            if not self._reaches(other):
                lost()
                return
            value = serve(other)
            self._node.node.after(
                network.links.delay_ms(), lambda: back(value) if self._reaches(other) else lost()
            )

        self._node.node.after(network.links.delay_ms(), there)

    def _reaches(self, other: "ChainNode") -> bool:
        links = self._node.network.links
        return other.node.is_up and links.are_joined(self._node.name, other.name)

    def _tip(self, call: int, tip: tuple[BlockId, int]) -> None:
        self._run.report(self._machine.tip, call, *tip)

    def _answered(self, call: int, peer: str, found: list[Parcel] | None) -> None:
        if found is None:
            self._run.report(self._machine.answered_failure, call)
            return
        self._streams[call] = found[::-1]
        self._read(call, peer)

    def _read(self, call: int, peer: str) -> None:
        other = self._node.network.nodes[peer]

        def read() -> None:
            stream = self._streams[call]
            if not self._reaches(other):
                self._run.report(self._machine.lost, call)
            elif not stream:
                self._run.report(self._machine.ended, call)
            else:
                self._reading = stream.pop()
                header = self._reading.candidate.header
                self._run.report(self._machine.block, call, header.id, header.parent, header.slot)

        self._node.node.after(READ_MS, read)

    def _apply(self, call: int, peer: str, block: BlockId) -> None:
        parcel = self._reading
        if parcel is None or parcel.id != block:
            raise ValueError("the machine wants another block than the one that was read")

        def done(reason: RejectReason | None) -> None:
            if reason is None:
                self._run.report(self._machine.applied, call)
            else:
                self._run.report(self._machine.refused, call, reason)

        self._node.take(parcel, peer, done)


def anchors_of(node: "ChainNode") -> list[BlockId]:
    """Returns what `KnownChain.anchors` is to return."""
    tip, tree, found = node.follower.tip, node.follower.tree, list[BlockId]()
    for height in anchor_heights(tip.height, node.network.parameters.security_blocks):
        block = tree.ancestor(tip, height) if height >= tree.root.height else None
        found.append(node.kept.final_at(height) if block is None else block.id)
    return found


def served(node: "ChainNode", found: object) -> list[Parcel] | None:
    """Returns the blocks of an answer; None: it is a failure."""
    if not isinstance(found, Answered):
        return None
    return [node.kept.parcels[each] for each in found.blocks]
