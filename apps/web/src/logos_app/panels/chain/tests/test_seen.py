"""What the app knows of a chain: bounded, in order, and right after blocks were replaced."""

from hypothesis import given
from hypothesis import strategies as st

from logos.chain.v1 import chain_pb2 as pb
from logos_app.panels.chain import seen
from logos_app.panels.chain.seen import BLOCKS, ChainSeen


def block(height: int, branch: int = 0) -> pb.BlockSummary:
    identifier = bytes([branch]) + height.to_bytes(31, "big")
    point = pb.BlockPoint(id=identifier, height=height, slot=height)
    return pb.BlockSummary(point=point, is_on_chain=True)


def moved(
    added: list[pb.BlockSummary], removed: list[pb.BlockSummary] | None = None, final: int = 0
) -> pb.WatchBlocksResponse:
    return pb.WatchBlocksResponse(
        added=added,
        removed=[each.point.id for each in removed or []],
        final=pb.BlockPoint(height=final),
    )


def heights(now: ChainSeen) -> list[int]:
    return [each.point.height for each in now.blocks]


def test_the_newest_blocks_stand_first_and_are_bounded() -> None:
    now = ChainSeen()
    for height in range(200):
        now = seen.with_move(now, moved([block(height)], final=max(0, height - 3)), 1000)

    assert heights(now) == list(range(199, 199 - BLOCKS, -1))
    assert now.final == 196
    assert now.tip is not None
    assert now.tip.height == 199


@given(st.lists(st.integers(1, 100), max_size=20), st.booleans())
def test_moves_that_come_twice_change_nothing(sizes: list[int], again: bool) -> None:  # noqa: FBT001
    now, top = ChainSeen(), 0
    for size in sizes:
        move = moved([block(height) for height in range(top, top + size)])
        top += size
        now = seen.with_move(now, move, 1)
        if again:
            assert seen.with_move(now, move, 1) == now

    assert heights(now) == list(range(top - 1, max(-1, top - 1 - BLOCKS), -1))


def test_blocks_that_left_are_forgotten_and_said_until_that_is_settled() -> None:
    now = seen.with_move(ChainSeen(), moved([block(height) for height in range(10)]), 1)
    left = [block(9), block(8)]
    there = [block(8, 1), block(9, 1), block(10, 1)]
    now = seen.with_move(now, moved(there, left, final=5), 77)

    assert [each.point.id[0] for each in now.blocks[:4]] == [1, 1, 1, 0]
    assert now.replaced == seen.Replaced(2, 77, 9, block(9).point.id)
    assert seen.with_move(now, moved([block(11, 1)], final=8), 78).replaced is not None
    assert seen.with_move(now, moved([block(12, 1)], final=9), 79).replaced is None


def test_what_is_final_stays_final() -> None:
    now = seen.with_move(ChainSeen(), moved([block(height) for height in range(10)], final=6), 1)
    now = seen.with_info(now, pb.GetInfoResponse(final=pb.BlockPoint(height=4)), None, 2)

    assert now.final == 6
    assert [now.is_final(each) for each in now.blocks] == [False] * 3 + [True] * 7


def settled(heights: range, final: int) -> ChainSeen:
    """A chain whose final block is known by its id."""
    blocks = [block(height) for height in reversed(heights)]
    for each in blocks:
        each.is_final = each.point.height <= final
    return seen.with_blocks(ChainSeen(), blocks, 1)


def test_nothing_is_final_of_a_node_that_has_started_over() -> None:
    now = settled(range(10), final=6)
    assert now.final == 6
    short = [block(height, 1) for height in (2, 1, 0)]
    long = [block(height, 1) for height in range(11, -1, -1)]
    info = pb.GetInfoResponse(tip=short[0].point, final=pb.BlockPoint(height=1))
    others = moved(long[::-1], list(now.blocks))

    assert seen.with_blocks(now, short, 2).final == 0
    assert seen.with_blocks(now, long, 2).final == 0
    assert seen.with_info(now, info, None, 2).final == 1
    assert seen.with_move(now, others, 2).final == 0


def test_an_older_list_of_the_same_chain_takes_nothing_back() -> None:
    now = settled(range(10), final=6)
    older = settled(range(9), final=4)

    assert seen.with_blocks(now, older.blocks, 2).final == 6


def test_the_supply_stays_where_it_was_not_asked_for() -> None:
    supply = pb.GetSupplyResponse(free=5)
    now = seen.with_info(ChainSeen(), pb.GetInfoResponse(), supply, 1)

    assert seen.with_info(now, pb.GetInfoResponse(), None, 2).supply == supply
