from logos_storage.core.batch import VerifiedBlock
from logos_storage.store.fresh import FreshBlocks

KIB = 1024


def block(index: int) -> VerifiedBlock:
    return VerifiedBlock(index, memoryview(bytes([index]) * KIB))


def test_blocks_are_handed_out_once_and_only_all_together() -> None:
    fresh = FreshBlocks(10 * KIB)
    fresh.add("tree", [block(1), block(2), block(4)])

    assert fresh.take("tree", 1, 4) is None
    assert fresh.take("other", 1, 3) is None
    assert fresh.take("tree", 1, 3) == [block(1).data, block(2).data]
    assert fresh.take("tree", 1, 3) is None
    assert fresh.take("tree", 4, 5) == [block(4).data]


def test_the_oldest_go_when_there_are_too_many() -> None:
    fresh = FreshBlocks(3 * KIB)
    fresh.add("tree", [block(number) for number in range(5)])

    assert fresh.take("tree", 1, 2) is None
    assert fresh.take("tree", 2, 5) == [block(2).data, block(3).data, block(4).data]


def test_a_block_that_comes_twice_counts_once() -> None:
    fresh = FreshBlocks(2 * KIB)
    fresh.add("tree", [block(1), block(1), block(1), block(2)])

    assert fresh.take("tree", 1, 3) == [block(1).data, block(2).data]


def test_what_was_taken_or_forgotten_makes_room() -> None:
    fresh = FreshBlocks(2 * KIB)
    fresh.add("one", [block(1)])
    fresh.add("two", [block(1)])
    fresh.forget("one")
    assert fresh.take("one", 1, 2) is None

    fresh.add("two", [block(2)])
    assert fresh.take("two", 1, 3) == [block(1).data, block(2).data]
