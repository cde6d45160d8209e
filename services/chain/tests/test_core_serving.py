"""CON-42: what a node answers to a request for blocks."""

from chain_blocks import GENESIS, TWENTY, chain, identified
from chain_peers import Chain

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.sync.messages import DownloadRequest
from logos_chain.core.consensus.sync.serving import Answered, RefusalReason, answer
from logos_chain.core.consensus.types import BlockId

MAIN = chain("main", GENESIS, range(1, 11))
SIDE = chain("side", MAIN[4].header.id, range(6, 9))
SERVED = Chain(TWENTY, Rule.BOOTSTRAP, [*MAIN, *SIDE])
UNKNOWN = identified("unknown")


def asked(target: BlockId, *known: BlockId, limit: int = 100) -> Answered | RefusalReason:
    first, second, *more = (*known, UNKNOWN, UNKNOWN)[: max(2, len(known))]
    return answer(DownloadRequest(target, first, second, tuple(more)), SERVED, limit)


def ids(blocks: list) -> tuple[BlockId, ...]:  # type: ignore[type-arg]
    return tuple(each.header.id for each in blocks)


def test_blocks_begin_after_the_highest_common_ancestor() -> None:
    tip = MAIN[-1].header.id

    assert asked(tip, GENESIS, MAIN[2].header.id) == Answered(ids(MAIN[3:]), is_whole=True)
    assert asked(tip, GENESIS, SIDE[1].header.id) == Answered(ids(MAIN[5:]), is_whole=True)
    assert asked(SIDE[2].header.id, tip) == Answered(ids(SIDE), is_whole=True)


def test_an_answer_is_capped_and_continued_from_its_last_block() -> None:
    tip = MAIN[-1].header.id

    first = asked(tip, GENESIS, limit=4)
    second = asked(tip, GENESIS, UNKNOWN, MAIN[3].header.id, limit=4)

    assert first == Answered(ids(MAIN[:4]), is_whole=False)
    assert second == Answered(ids(MAIN[4:8]), is_whole=False)


def test_a_requester_that_has_the_target_gets_nothing() -> None:
    tip = MAIN[-1].header.id

    assert asked(tip, tip) == Answered((), is_whole=True)
    assert asked(MAIN[3].header.id, tip) == Answered((), is_whole=True)


def test_what_is_not_here_is_refused_by_name() -> None:
    assert asked(UNKNOWN, GENESIS) is RefusalReason.TARGET_UNKNOWN
    assert asked(MAIN[-1].header.id) is RefusalReason.NOTHING_IN_COMMON
