import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_storage.core import merkle
from logos_storage.core.errors import ProofRefusedError
from logos_storage.core.merkle import Proof, Verifier
from reference_tree import ReferenceTree

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-storage/merkle-roots.json").read_text("utf-8")
)


def leaves_of(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes((number & 255, number >> 8))).digest() for number in range(count)]


def proofs_of(leaves: list[bytes]) -> list[Proof]:
    tree = ReferenceTree(leaves)
    return [tree.proof(index) for index in range(len(leaves))]


def root_of(leaves: list[bytes]) -> bytes:
    return ReferenceTree(leaves).root


def packed_by_the_product(leaves: list[bytes]) -> list[bytes]:
    layers = [leaves]
    for _ in range(merkle.depth(len(leaves))):
        layers.append(merkle.parents_of(layers[-1], is_bottom=len(layers) == 1))
    return [node for layer in layers for node in layer]


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_agrees_with_published_roots(case: dict[str, Any]) -> None:
    leaves = [text.encode("ascii") for text in VECTORS["leaves"][: case["leaf_count"]]]

    assert packed_by_the_product(leaves)[-1].hex() == root_of(leaves).hex() == case["root"]


@pytest.mark.parametrize("count", [*range(1, 40), 64, 65, 100, 257])
def test_packs_all_layers_and_ends_with_the_root(count: int) -> None:
    tree = ReferenceTree(leaves_of(count))

    assert packed_by_the_product(leaves_of(count)) == tree.nodes
    assert merkle.layer_sizes(count) == [len(layer) for layer in tree.layers]
    assert merkle.node_count(count) == len(tree.nodes)
    assert merkle.depth(count) == len(tree.layers) - 1


def test_no_leaves_have_no_tree() -> None:
    assert merkle.layer_sizes(0) == []
    assert merkle.node_count(0) == merkle.depth(0) == 0


@pytest.mark.property
@given(st.data(), st.integers(1, 70))
def test_proves_any_run_of_leaves_from_the_nodes_around_it(data: st.DataObject, count: int) -> None:
    tree = ReferenceTree(leaves_of(count))
    first = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(first + 1, count))
    leaves, stored = tree.layers[0][first:end], dict(enumerate(tree.nodes))

    paths = merkle.prove_run(leaves, first, count, tree.root, stored)

    assert paths == [tree.proof(index).path for index in range(first, end)]
    with pytest.raises(ProofRefusedError):
        merkle.prove_run([*leaves[:-1], bytes(32)], first, count, tree.root, stored)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 33])
def test_every_proof_of_a_tree_verifies_alone_and_in_any_company(count: int) -> None:
    leaves = leaves_of(count)
    root, proofs = root_of(leaves), proofs_of(leaves)
    together = Verifier(root, count)

    for leaf, proof in zip(leaves, proofs, strict=True):
        Verifier(root, count).verify(leaf, proof)
        together.verify(leaf, proof)

    assert together.proven == dict(enumerate(ReferenceTree(leaves).nodes))


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


@pytest.mark.property
@settings(max_examples=25)
@given(data=st.data(), count=st.integers(1, 50), is_warm=st.booleans())
def test_every_changed_bit_of_a_proof_is_refused(
    *, data: st.DataObject, count: int, is_warm: bool
) -> None:
    leaves = leaves_of(count)
    proofs = proofs_of(leaves)
    index = data.draw(st.integers(0, count - 1))
    proof, leaf = proofs[index], leaves[index]
    verifier = Verifier(root_of(leaves), count)
    if is_warm:
        for other in range(count):
            verifier.verify(leaves[other], proofs[other])
    known = dict(verifier.proven)
    path = b"".join(proof.path)

    for bit in range(len(path) * 8):
        changed = flipped(path, bit)
        nodes = tuple(changed[at : at + 32] for at in range(0, len(changed), 32))
        with pytest.raises(ProofRefusedError):
            verifier.verify(leaf, replace(proof, path=nodes))
    for bit in range(256):
        with pytest.raises(ProofRefusedError):
            verifier.verify(flipped(leaf, bit), proof)
    for bit in range(64):
        with pytest.raises(ProofRefusedError):
            verifier.verify(leaf, replace(proof, index=proof.index ^ 1 << bit))
        with pytest.raises(ProofRefusedError):
            verifier.verify(leaf, replace(proof, leaf_count=proof.leaf_count ^ 1 << bit))
    for wrong in (proof.path[:-1], (*proof.path, bytes(32)), (*proof.path, *proof.path)):
        with pytest.raises(ProofRefusedError):
            verifier.verify(leaf, replace(proof, path=wrong))

    assert verifier.proven == known


def test_a_single_child_has_zeros_for_a_partner_and_nothing_else() -> None:
    """Else the same leaf would have as many proofs as the hash has collisions of our choosing."""
    leaves = leaves_of(3)
    proof = proofs_of(leaves)[2]

    with pytest.raises(ProofRefusedError, match="not zero"):
        Verifier(root_of(leaves), 3).verify(
            leaves[2], replace(proof, path=(leaves[0], *proof.path[1:]))
        )


@pytest.mark.parametrize(("claimed", "count"), [(3, 4), (1, 2), (7, 8)])
def test_a_tree_cannot_pass_for_one_with_more_leaves(claimed: int, count: int) -> None:
    """A tree over n leaves and one over n leaves and a zero leaf differ in their keys."""
    leaves = leaves_of(claimed)

    assert root_of(leaves) != root_of([*leaves, bytes(32)])
    with pytest.raises(ProofRefusedError):
        Verifier(root_of(leaves), count).verify(leaves[0], proofs_of(leaves)[0])


def test_a_node_that_is_not_32_bytes_is_refused() -> None:
    leaves = leaves_of(2)
    proof = proofs_of(leaves)[0]

    with pytest.raises(ProofRefusedError, match="32 bytes"):
        Verifier(root_of(leaves), 2).verify(leaves[0], replace(proof, path=(b"short",)))
