import hashlib
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_storage.core import wire
from logos_storage.core.batch import check_batch, runs_of, verify_stored
from logos_storage.core.cid import TREE, Cid
from logos_storage.core.errors import (
    BlockRefusedError,
    FrameMalformedError,
    ProofRefusedError,
)
from logos_storage.core.types import TreeShape, block_count_of
from logos_storage.core.wire import BlockRange, ServedBlock, WantBlocks
from reference_tree import ReferenceTree

REFUSED = (FrameMalformedError, BlockRefusedError, ProofRefusedError)


class Dataset:
    """A content with its tree, as an honest provider holds it."""

    def __init__(self, size: int, block_size: int, salt: bytes = b"") -> None:
        stream = hashlib.shake_128(salt + size.to_bytes(8, "big")).digest(size)
        self.size = size
        count = block_count_of(size, block_size)
        padded = stream.ljust(count * block_size, b"\0")
        self.blocks = [padded[at : at + block_size] for at in range(0, len(padded), block_size)]
        self.digests = [hashlib.sha256(block).digest() for block in self.blocks]
        self.tree = ReferenceTree(self.digests)
        self.shape = TreeShape(Cid(TREE, self.tree.root), block_size, count)

    def served(self, index: int) -> ServedBlock:
        path = self.tree.proof(index).path
        return ServedBlock(index, self.digests[index], self.blocks[index], path)

    def request(self, *spans: tuple[int, int]) -> WantBlocks:
        return WantBlocks(3, self.shape.tree_cid, tuple(BlockRange(*span) for span in spans))

    def response(self, blocks: list[ServedBlock], **changes: int) -> memoryview:
        frame = wire.encode_response(
            changes.get("request_id", 3),
            self.shape.tree_cid,
            changes.get("leaf_count", self.shape.block_count),
            blocks,
        )
        return memoryview(b"".join(frame)[5:])


DATA = Dataset(4096 * 6 + 10, 4096)


@pytest.mark.property
@settings(max_examples=40)
@given(st.data(), st.integers(1, 200_000), st.sampled_from([4096, 8192, 65536]))
def test_keeps_exactly_what_was_asked_for_and_is_true(
    data: st.DataObject, size: int, block_size: int
) -> None:
    dataset = Dataset(size, block_size)
    count = dataset.shape.block_count
    first = data.draw(st.integers(0, count - 1))
    span = data.draw(st.integers(1, count - first))
    sent = data.draw(st.sets(st.integers(first, first + span - 1)))
    body = dataset.response([dataset.served(index) for index in sent])

    batch = check_batch(body, dataset.request((first, span)), dataset.shape, size)

    assert [block.index for block in batch.blocks] == sorted(sent)
    assert all(block.data == dataset.blocks[block.index] for block in batch.blocks)
    assert all(dataset.tree.nodes[at] == node for at, node in batch.nodes.items())


@pytest.mark.property
@settings(max_examples=300)
@given(st.data())
def test_no_changed_bit_gets_through(data: st.DataObject) -> None:
    body = bytearray(DATA.response([DATA.served(2), DATA.served(6)]))
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    body[bit >> 3] ^= 1 << (bit & 7)

    with pytest.raises(REFUSED):
        check_batch(memoryview(body), DATA.request((0, 7)), DATA.shape, DATA.size)


def check(blocks: list[ServedBlock], *spans: tuple[int, int], **changes: int) -> None:
    body = DATA.response(blocks, **changes)
    check_batch(body, DATA.request(*(spans or ((0, 7),))), DATA.shape, DATA.size)


def test_refuses_a_corrupted_block() -> None:
    block = DATA.served(1)
    with pytest.raises(BlockRefusedError):
        check([replace(block, data=b"x" + block.data[1:])])


def test_refuses_another_blocks_data_with_this_ones_proof() -> None:
    other = DATA.served(2)
    with pytest.raises(ProofRefusedError):
        check([replace(DATA.served(1), data=other.data, digest=other.digest)])


def test_refuses_another_blocks_proof() -> None:
    with pytest.raises(ProofRefusedError):
        check([replace(DATA.served(1), path=DATA.served(2).path)])


def test_refuses_a_block_that_proves_itself_by_a_foreign_tree() -> None:
    with pytest.raises(ProofRefusedError):
        check([Dataset(4096 * 7, 4096, b"foreign").served(1)])


@pytest.mark.parametrize("index", [7, 2**63, 2**64 - 1])
def test_refuses_an_index_past_the_end(index: int) -> None:
    with pytest.raises(REFUSED):
        check([replace(DATA.served(1), index=index)])


def test_refuses_blocks_that_were_not_asked_for_or_come_twice() -> None:
    with pytest.raises(BlockRefusedError):
        check([DATA.served(1)], (2, 2))
    with pytest.raises(BlockRefusedError):
        check([DATA.served(1), DATA.served(1)])
    with pytest.raises(BlockRefusedError):
        check([DATA.served(1), DATA.served(2)], (1, 1))


def test_refuses_a_block_of_another_size() -> None:
    short = DATA.blocks[1][:-1]
    with pytest.raises(BlockRefusedError):
        check([replace(DATA.served(1), data=short, digest=hashlib.sha256(short).digest())])


def test_refuses_the_answer_to_another_request() -> None:
    with pytest.raises(FrameMalformedError):
        check([DATA.served(1)], request_id=4)


def test_refuses_a_proof_of_a_tree_with_more_leaves() -> None:
    with pytest.raises(ProofRefusedError):
        check([DATA.served(1)], leaf_count=8)


def test_refuses_padding_that_hides_something() -> None:
    """A manifest that claims less than its tree holds would be kept cut, and not verify again."""
    body = DATA.response([DATA.served(6)])

    with pytest.raises(BlockRefusedError, match="padded"):
        check_batch(body, DATA.request((0, 7)), DATA.shape, DATA.size - 1)


def test_an_answer_may_be_empty() -> None:
    check([])


@pytest.mark.property
@given(st.sets(st.integers(0, 30)))
def test_runs_cover_the_indices_and_are_as_long_as_can_be(indices: set[int]) -> None:
    runs = list(runs_of(sorted(indices)))

    assert {index for first, end in runs for index in range(first, end)} == indices
    assert all(end < first for (_, end), (first, _) in pairwise(runs))


def stored_nodes() -> dict[int, bytes]:
    return dict(enumerate(DATA.tree.nodes))


def test_stored_blocks_verify_and_give_their_digests_and_proofs() -> None:
    data = memoryview(b"".join(DATA.blocks[2:7]))

    proven = verify_stored(data, 2, DATA.shape, stored_nodes())

    assert [digest for digest, _ in proven] == DATA.digests[2:7]
    assert [path for _, path in proven] == [DATA.served(at).path for at in range(2, 7)]


def test_decay_of_data_or_of_the_tree_is_seen() -> None:
    data = bytearray(b"".join(DATA.blocks))
    data[5000] ^= 1
    with pytest.raises(ProofRefusedError):
        verify_stored(memoryview(data), 0, DATA.shape, stored_nodes())

    data[5000] ^= 1
    for at in range(len(DATA.tree.nodes) - 1):  # the root is in the cid
        nodes = stored_nodes()
        nodes[at] = bytes(31) + b"\1"
        with pytest.raises(ProofRefusedError):
            verify_stored(memoryview(data), 0, DATA.shape, nodes)
