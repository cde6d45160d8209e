"""Which transactions a block gets: MPL-12 to MPL-14."""

from chain_ledger import CHANNEL, KEYS, Chain
from chain_mempool import Node
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.mempool.types import BlockLimits, Limits, Worth
from logos_mantle.channels import ChannelInscribe
from logos_mantle.fees import total_execution_gas
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.prices import MAX_EXECUTION_GAS


def test_rate_is_what_a_block_full_of_the_like_tips() -> None:
    """MPL-12: by that of bytes and gas of which it takes the greater part."""
    assert Worth(5, MAX_BODY_BYTES, 0).rate == 5
    assert Worth(5, MAX_BODY_BYTES // 2, MAX_EXECUTION_GAS).rate == 5
    assert Worth(5, MAX_BODY_BYTES // 4, 0).rate == 20
    assert Worth().rate == 0


def test_higher_tips_come_first() -> None:
    """MPL-12."""
    node = Node()
    made = [node.spend(note, tip=tip) for note, tip in zip(node.notes, (5, 900, 40), strict=False)]
    node.take(*made)

    assert node.mempool.choose(0) == (made[1], made[2], made[0])
    assert node.mempool.choose(0, BlockLimits(transactions=2)) == (made[1], made[2])


def test_child_pays_for_its_parent() -> None:
    """MPL-12: together they tip more than what else waits."""
    node = Node()
    parent = node.spend(node.notes[0])
    child, other = node.follow(parent, tip=900), node.spend(node.notes[1], tip=300)
    node.take(parent, other, child)

    assert node.mempool.choose(0, BlockLimits(transactions=2)) == (parent, child)


def test_what_a_taken_parent_has_made_cheaper_comes_earlier() -> None:
    """MPL-12: a parent is paid for once."""
    node = Node()
    parent = node.split(node.notes[0], parts=2)
    rich, poor = node.follow(parent, 0, tip=90_000), node.follow(parent, 1, tip=4000)
    other = node.spend(node.notes[1], tip=3000)
    node.take(parent, other, poor, rich)

    assert node.mempool.choose(0) == (parent, rich, poor, other)


def test_child_does_not_count_what_its_parent_has_tipped_already() -> None:
    """MPL-12."""
    node = Node()
    parent, other = node.spend(node.notes[0], tip=3000), node.spend(node.notes[1], tip=1000)
    child = node.follow(parent, tip=1)
    node.take(parent, child, other)

    assert node.mempool.choose(0) == (parent, other, child)


def test_parents_come_before_children_though_they_tip_less() -> None:
    """MPL-13."""
    node = Node()
    line = [node.spend(node.notes[0])]
    for tip in (10, 500, 3000):
        line.append(node.follow(line[-1], tip=tip))
    node.take(*line)

    assert node.mempool.choose(0) == tuple(line)


def test_what_does_not_fit_makes_room_for_what_does() -> None:
    """MPL-13: bytes and gas of a block."""
    node = Node()
    large = node.chain.paid(ChannelInscribe(CHANNEL, bytes(5000), bytes(32), KEYS[0]), tip=90_000)
    small = [node.spend(note, tip=10) for note in node.notes[10:12]]
    node.take(large, *small)
    size, gas = sum(len(each.encoded) for each in small), 590

    assert set(node.mempool.choose(0, BlockLimits(size_bytes=size))) == set(small)
    assert node.mempool.choose(0, BlockLimits(gas=gas))[0] in small


def test_choosing_changes_nothing() -> None:
    """MPL-14."""
    node = Node()
    node.take(*[node.spend(each) for each in node.notes[:3]])
    before = node.mempool.waiting()

    assert node.mempool.choose(0) == node.mempool.choose(0)
    assert node.mempool.waiting() == before


def test_ledgers_last_word_leaves_out_what_it_refuses() -> None:
    """MPL-14: though the mempool was not told of the new tip yet."""
    node = Node()
    spent, kept = node.spend(node.notes[0]), node.spend(node.notes[1])
    node.take(spent, kept)
    node.block(spent)

    assert node.mempool.choose(0) == (kept,)


def test_long_line_that_came_back_is_chosen_in_its_order() -> None:
    """MPL-16: though it is longer than what would be taken."""
    node = Node(Limits(ancestors=2))
    line = [node.spend(node.notes[0])]
    for _ in range(80):
        line.append(node.follow(line[-1], tip=1))
    for at in range(0, len(line), 20):
        node.grow(*line[at : at + 20])

    node.move(len(node.bodies), [])
    node.settle()

    assert node.mempool.waiting() == line
    assert node.mempool.choose(0) == tuple(line)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3000)), max_size=14),
    transactions=st.integers(1, 8),
    size_bytes=st.integers(300, 4000),
    gas=st.integers(590, 8000),
)
def test_any_choice_is_a_valid_block_within_its_limits(
    shape: list[tuple[int, int]], transactions: int, size_bytes: int, gas: int
) -> None:
    """MPL-13: whatever follows what."""
    node, made = Node(), []
    for at, (parent, tip) in enumerate(shape):
        is_fund = parent >= len(made)
        made.append(node.spend(node.notes[at], tip=tip) if is_fund else node.follow(made[parent]))
        node.take(made[-1])
    limits = BlockLimits(transactions, size_bytes, gas)

    chosen = node.mempool.choose(0, limits)

    assert len(chosen) <= transactions
    assert sum(len(each.encoded) for each in chosen) <= size_bytes
    assert sum(total_execution_gas(each) for each in chosen) <= gas
    assert isinstance(_executed(node.chain, chosen), Applied)


def _executed(chain: Chain, chosen: tuple[object, ...]) -> object:
    return chain.block(*chosen)  # type: ignore[arg-type] -- chosen from a mempool
