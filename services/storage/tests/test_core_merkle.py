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
from logos_storage.core.merkle import KeyPosition, LayerBuilder, Proof, Verifier

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-storage/merkle-roots.json").read_text("utf-8")
)
KEYS = {"even bottom": 1, "odd bottom": 3, "even": 0, "odd": 2}


def leaves_of(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes((number & 255, number >> 8))).digest() for number in range(count)]


def reference_layers(leaves: list[bytes]) -> list[list[bytes]]:
    """The tree by the letter of LIP-153, with the key last."""
    layers = [leaves]
    while len(layers[-1]) > 1 or len(layers) == 1:
        below, bottom = layers[-1], len(layers) == 1
        above = []
        for start in range(0, len(below), 2):
            pair = below[start : start + 2]
            kind = ("even" if len(pair) == 2 else "odd") + (" bottom" if bottom else "")
            joined = b"".join(pair).ljust(64, b"\0") + bytes((KEYS[kind],))
            above.append(hashlib.sha256(joined).digest())
        layers.append(above)
    return layers


def proofs_of(leaves: list[bytes]) -> list[Proof]:
    packed = merkle.pack(b"".join(leaves))

    def node_at(position: int) -> bytes:
        return packed[position * 32 : position * 32 + 32]

    return [merkle.prove(index, len(leaves), node_at) for index in range(len(leaves))]


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_agrees_with_published_roots(case: dict[str, Any]) -> None:
    leaves = [text.encode("ascii") for text in VECTORS["leaves"][: case["leaf_count"]]]

    assert merkle.root_of(leaves, KeyPosition(case["position"])).hex() == case["root"]


@pytest.mark.parametrize("count", [*range(1, 40), 64, 65, 100, 257])
def test_packs_all_layers_and_ends_with_the_root(count: int) -> None:
    layers = reference_layers(leaves_of(count))

    packed = merkle.pack(b"".join(layers[0]))

    assert packed == b"".join(node for layer in layers for node in layer)
    assert merkle.layer_sizes(count) == [len(layer) for layer in layers]
    assert merkle.node_count(count) * 32 == len(packed)
    assert merkle.depth(count) == len(layers) - 1
    assert merkle.root_of(layers[0]) == packed[-32:]


def test_no_leaves_have_no_tree() -> None:
    assert merkle.layer_sizes(0) == []
    assert merkle.node_count(0) == 0
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.root_of([])


@pytest.mark.property
@given(
    count=st.integers(1, 70),
    pieces=st.lists(st.integers(1, 9), max_size=30),
    is_bottom=st.booleans(),
)
def test_a_layer_may_come_in_any_pieces(*, count: int, pieces: list[int], is_bottom: bool) -> None:
    joined = b"".join(leaves_of(count))
    whole = LayerBuilder(is_bottom=is_bottom)
    expected = whole.add(joined) + whole.end()
    builder = LayerBuilder(is_bottom=is_bottom)

    out = b""
    for piece in pieces:
        out += builder.add(joined[: piece * 32])
        joined = joined[piece * 32 :]
    out += builder.add(joined) + builder.end()

    assert out == expected


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 33])
def test_every_proof_of_a_tree_verifies_alone_and_in_any_company(count: int) -> None:
    leaves = leaves_of(count)
    root, proofs = merkle.root_of(leaves), proofs_of(leaves)
    together = Verifier(root, count)

    for leaf, proof in zip(leaves, proofs, strict=True):
        Verifier(root, count).verify(leaf, proof)
        together.verify(leaf, proof)

    assert sorted(together.proven) == list(range(merkle.node_count(count)))
    packed = merkle.pack(b"".join(leaves))
    assert all(packed[at * 32 : at * 32 + 32] == node for at, node in together.proven.items())


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
    verifier = Verifier(merkle.root_of(leaves), count)
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
        Verifier(merkle.root_of(leaves), 3).verify(
            leaves[2], replace(proof, path=(leaves[0], *proof.path[1:]))
        )


@pytest.mark.parametrize(("claimed", "count"), [(3, 4), (1, 2), (7, 8)])
def test_a_tree_cannot_pass_for_one_with_more_leaves(claimed: int, count: int) -> None:
    """A tree over n leaves and one over n leaves and a zero leaf differ in their keys."""
    leaves = leaves_of(claimed)

    assert merkle.root_of(leaves) != merkle.root_of([*leaves, bytes(32)])
    with pytest.raises(ProofRefusedError):
        Verifier(merkle.root_of(leaves), count).verify(leaves[0], proofs_of(leaves)[0])


def test_a_node_that_is_not_32_bytes_is_refused() -> None:
    leaves = leaves_of(2)
    proof = proofs_of(leaves)[0]

    with pytest.raises(ProofRefusedError, match="32 bytes"):
        Verifier(merkle.root_of(leaves), 2).verify(leaves[0], replace(proof, path=(b"short",)))


def test_there_is_no_proof_of_a_leaf_past_the_end() -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.prove(3, 3, lambda _: bytes(32))
