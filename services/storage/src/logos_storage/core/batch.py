"""Checks a peer's answer: every block against the tree, before anything is kept.

Pure and busy: about a hash over all of the data. Runs in a worker thread.

Spec: docs/protocol/storage.md, STO-25.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logos_storage.core import merkle
from logos_storage.core.errors import BlockRefusedError, FrameMalformedError, ProofRefusedError
from logos_storage.core.types import TreeShape
from logos_storage.core.wire import DeliveredBlock, WantBlocks, decode_response


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A block that belongs to the tree: whole, with its padding."""

    index: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class VerifiedBatch:
    """Blocks that belong to the tree, and the tree's nodes that prove it."""

    blocks: tuple[VerifiedBlock, ...]
    nodes: dict[int, bytes]
    """Proven nodes by their position in the packed tree, the root among them."""


def check_batch(
    body: memoryview, request: WantBlocks, shape: TreeShape, size_bytes: int
) -> VerifiedBatch:
    """Reads and checks the answer to a request. Untrusted.

    Args:
        body: Body of a frame of type 2.
        request: What was asked for.
        shape: The tree, as the manifest describes it.
        size_bytes: Size of the content; all bytes after it must be zeros.

    Raises:
        FrameMalformedError, BlockRefusedError, ProofRefusedError: The sender is
            at fault; none of the answer may be used.
    """
    answer = decode_response(body)
    if answer.request_id != request.request_id or answer.tree_cid != request.tree_cid:
        raise FrameMalformedError("response answers another request")
    if len(answer.blocks) > request.block_count:
        raise BlockRefusedError("more blocks came than were asked for")
    verifier = merkle.Verifier(shape.tree_cid.digest, shape.block_count)
    seen: set[int] = set()
    for block in answer.blocks:
        if block.index in seen or not any(
            one.start <= block.index < one.end for one in request.ranges
        ):
            raise BlockRefusedError(f"block {block.index} was not asked for")
        seen.add(block.index)
        _check_block(block, verifier, shape, size_bytes)
    blocks = tuple(
        VerifiedBlock(block.index, block.data)
        for block in sorted(answer.blocks, key=lambda block: block.index)
    )
    return VerifiedBatch(blocks, verifier.proven)


def _check_block(
    block: DeliveredBlock, verifier: merkle.Verifier, shape: TreeShape, size_bytes: int
) -> None:
    if len(block.data) != shape.block_size_bytes:
        raise BlockRefusedError(f"block {block.index} is not of the tree's block size")
    if block.proof.index != block.index:
        raise ProofRefusedError(f"block {block.index} comes with the proof of another")
    digest = hashlib.sha256(block.data).digest()
    if digest != block.digest:
        raise BlockRefusedError(f"block {block.index} does not match its cid")
    verifier.verify(digest, block.proof)
    padding = (block.index + 1) * shape.block_size_bytes - size_bytes
    if padding > 0 and block.data[-padding:] != bytes(padding):
        raise BlockRefusedError("the last block is not padded with zeros")


def runs_of(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yields the runs [first, end) that ascending indices consist of."""
    first = end = -1
    for index in indices:
        if index != end:
            if first >= 0:
                yield first, end
            first = index
        end = index + 1
    if first >= 0:
        yield first, end


def verify_stored(
    data: memoryview, first: int, shape: TreeShape, nodes: dict[int, bytes]
) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Checks blocks read from disk against the tree's nodes read from disk.

    Args:
        data: Whole blocks, padded, from block `first` on.
        first: Index of the first block.
        shape: The tree.
        nodes: Nodes of the packed tree: all that the blocks' proofs need.

    Returns:
        The blocks' digests and the paths of their proofs.

    Raises:
        ProofRefusedError: What is on disk does not lead to the root.
    """
    size = shape.block_size_bytes
    digests = [
        hashlib.sha256(data[start : start + size]).digest() for start in range(0, len(data), size)
    ]
    paths = merkle.prove_run(digests, first, shape.block_count, shape.tree_cid.digest, nodes)
    return list(zip(digests, paths, strict=True))
