"""What a node answers to a request for blocks (CON-42).

Source: LIP-96, downloading blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from logos_chain.core.consensus.sync.messages import DownloadRequest
from logos_chain.core.consensus.types import BlockId

MAX_SERVED: Final = 1000
"""Blocks in one answer."""


class ServedChain(Protocol):
    """The blocks that a node can serve: its tree, and its stored chain below."""

    def height_of(self, block: BlockId) -> int | None:
        """Returns how many blocks stand before it; None: it is not here."""
        ...

    def common_ancestor(self, one: BlockId, other: BlockId) -> BlockId:
        """Returns the newest block on both chains; both blocks are here."""
        ...

    def path(self, after: BlockId, until: BlockId, limit: int) -> Sequence[BlockId]:
        """Returns the first `limit` blocks after an ancestor of `until`, oldest first."""
        ...


class RefusalReason(StrEnum):
    """Why a request is answered by a failure."""

    TARGET_UNKNOWN = "TARGET_UNKNOWN"
    NOTHING_IN_COMMON = "NOTHING_IN_COMMON"


@dataclass(frozen=True, slots=True)
class Answered:
    """The blocks to send, parents first; none if the requester has the target."""

    blocks: tuple[BlockId, ...]
    is_whole: bool
    """Whether the target is the last of them, or is known: there is nothing more to ask for."""


def answer(
    request: DownloadRequest, chain: ServedChain, limit: int = MAX_SERVED
) -> Answered | RefusalReason:
    """Chooses the blocks of an answer.

    They begin after the highest common ancestor of the target and any block that the requester
    knows, so that nothing is sent twice.
    """
    if chain.height_of(request.target) is None:
        return RefusalReason.TARGET_UNKNOWN
    start = start_of(request, chain)
    if start is None:
        return RefusalReason.NOTHING_IN_COMMON
    blocks = tuple(chain.path(start, request.target, limit))
    last = blocks[-1] if blocks else start
    return Answered(blocks, is_whole=last == request.target)


def start_of(request: DownloadRequest, chain: ServedChain) -> BlockId | None:
    """Returns the block after which an answer begins; the target is here.

    None: the target's chain and the requester's have nothing in common, as far as it names it.
    """
    known = {request.local_tip, request.latest_immutable, *request.additional}
    starts: list[tuple[int, BlockId]] = []
    for each in known:
        if chain.height_of(each) is not None:
            common = chain.common_ancestor(each, request.target)
            height = chain.height_of(common)
            if height is not None:
                starts.append((height, common))
    return max(starts)[1] if starts else None
