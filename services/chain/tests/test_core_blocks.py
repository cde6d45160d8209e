"""FOL-1: what consensus sees of a block is what its encoding has."""

import pytest
from chain_world import World

from logos_chain.core.blocks import candidate_of, kept_block, signed_bytes
from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.consensus.validation import first_fault
from logos_mantle.headers import SignedHeader


@pytest.mark.parametrize("uncles", [0, 1, 4])
def test_a_candidate_has_the_sizes_and_commitments_of_its_block(uncles: int) -> None:
    world = World()
    carried = [world.make(world.root, f"uncle {at}") for at in range(uncles)]
    headers = [SignedHeader(each.header, each.signature) for each in carried]
    block = world.make(world.root, "a", [world.spend(0), world.spend(1)], gap=3, uncles=headers)
    raw = block.encode()

    found = candidate_of(block, len(raw))

    assert found.body_bytes == sum(len(each.encoded) for each in block.transactions)
    assert found.body_root == block.header.body_root
    assert found.transactions == 2
    assert [each.header.id for each in (found.signed, *found.uncles)] == [
        each.id for each in (block, *carried)
    ]
    for own, made in zip((found.signed, *found.uncles), (block, *carried), strict=True):
        assert signed_bytes(own.header) == made.header.encoded
        assert own.signature == made.signature


def test_a_block_has_no_fault_on_the_genesis() -> None:
    world = World()
    block = world.make(world.root, "a", [world.spend(0)])
    root = TreeBlock(
        BlockId(world.root.id), BlockId(bytes(32)), 0, genesis_state(bytes(32), bytes(32), 1), b""
    )

    candidate = candidate_of(block, len(block.encode()))

    assert first_fault(world.parameters, BlockTree(root), candidate, 1) is None


def test_a_block_is_kept_as_it_came() -> None:
    world = World()
    block = world.make(world.root, "a", [world.spend(0)])

    kept = kept_block(block, raw := block.encode(), 7)

    assert (kept.id, kept.parent, kept.height, kept.slot) == (block.id, world.root.id, 7, 1)
    assert kept.raw is raw
    assert kept.transactions == (block.transactions[0].hash,)
