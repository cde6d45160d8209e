"""What is told of transactions in blocks: MPL-17 to MPL-19."""

from chain_ledger import named, signed
from chain_mempool import Node, told

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.errors import MempoolRefusal
from logos_chain.core.mempool.statuses import Statuses
from logos_chain.core.mempool.types import Body, Limits, Stage, Status
from logos_mantle.channels import ChannelInscribe


def body(name: int, count: int = 1) -> Body:
    made = [
        signed(ChannelInscribe(named("c"), bytes([name, each]), bytes(32), named("k")))
        for each in range(count)
    ]
    return Body(BlockId(named(f"block {name}")), tuple(made))


def test_transaction_becomes_included_safe_and_final() -> None:
    """MPL-17: each is told once."""
    node = Node(Limits(safe_blocks=2))
    transaction = node.spend(node.notes[0])
    node.take(transaction)

    node.grow(transaction)
    for _ in range(4):
        node.grow()
    block = node.bodies[0].block
    node.obey(node.mempool.finalised([block], 0))

    changes = [status for hash_, status in told(node.effects) if hash_ == transaction.hash]
    assert changes == [
        Status(Stage.PENDING),
        Status(Stage.INCLUDED, block),
        Status(Stage.SAFE, block),
        Status(Stage.FINAL, block),
    ]
    assert node.status(transaction) == changes[-1]


def test_transaction_in_another_block_is_told_anew() -> None:
    """MPL-17: a reorganisation that keeps it takes it to another block."""
    node = Node(Limits(safe_blocks=1))
    transaction = node.spend(node.notes[0])
    node.grow(transaction)
    node.grow()
    assert node.stage(transaction) is Stage.SAFE

    effects = node.move(2, [], [], [transaction])

    expected = Status(Stage.INCLUDED, node.bodies[-1].block)
    assert told(effects) == [(transaction.hash, expected)]


def test_safe_block_stays_safe_on_a_chain_that_is_shorter_for_now() -> None:
    """MPL-18: it is not told a second time when the chain grows again."""
    node = Node(Limits(safe_blocks=2))
    transaction = node.spend(node.notes[0])
    node.grow(transaction)
    node.grow()
    node.grow()
    assert node.stage(transaction) is Stage.SAFE

    effects = [*node.move(2, []), *node.grow()]

    assert told(effects) == []
    assert node.stage(transaction) is Stage.SAFE


def test_oldest_blocks_and_oldest_settled_are_forgotten() -> None:
    """MPL-19: each kind has its bound, and empty blocks count."""
    statuses = Statuses(limit=3, safe_blocks=10)
    blocks = [body(each) for each in range(5)]
    statuses.moved([], blocks)
    for each in range(5):
        statuses.drop(named(f"dropped {each}"), MempoolRefusal.EXPIRED)

    assert len(statuses) == 6
    assert statuses.get(blocks[1].transactions[0].hash) is None
    assert statuses.get(blocks[2].transactions[0].hash) == Status(Stage.INCLUDED, blocks[2].block)
    assert statuses.get(named("dropped 1")) is None
    statuses.moved([], [Body(BlockId(named(f"empty {each}")), ()) for each in range(3)])
    assert statuses.get(blocks[4].transactions[0].hash) is None


def test_removing_a_forgotten_block_changes_nothing() -> None:
    """MPL-19."""
    statuses = Statuses(limit=2, safe_blocks=10)
    blocks = [body(each) for each in range(4)]
    statuses.moved([], blocks)

    changes = statuses.moved([each.block for each in reversed(blocks)], [body(9)])

    assert [status.stage for _, status in changes] == [Stage.INCLUDED]
    assert len(statuses) == 1
