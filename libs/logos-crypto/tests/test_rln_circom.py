"""mixnet.md 11, R1: rate limits as the circuit's own source computes them, on 1,000 witnesses.

`vectors/circom-rln` has what circom makes of that source: code that shares nothing with this
repository's. Here are: the specification, computed with the product's hashes and paths, on all
witnesses; and real proofs on some of them, `LOGOS_ZK_WITNESSES`. That the graph with which proofs
are made gives the specification's values on 1,000 others, is in native/crates/zk/src/rln/prepare.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from logos_crypto import rln
from logos_crypto.hashes import MODULUS, poseidon_hash
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Identity, Membership

pytestmark = [pytest.mark.native, pytest.mark.vectors]

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/circom-rln/witnesses.json").read_text(encoding="utf-8")
)
PROVEN: Final = int(os.environ.get("LOGOS_ZK_WITNESSES", "12"))


@dataclass(frozen=True)
class Witness:
    """The inputs of one row, as the vectors say they are drawn."""

    row: int

    def value(self, name: str) -> bytes:
        return rln.signal_x(f"{self.row} {name}".encode())

    def number(self, name: str) -> int:
        return int.from_bytes(self.value(name), "little")

    @property
    def limit(self) -> int:
        drawn = 1 + self.number("limit") % 65_535
        return {0: 65_535, 1: 1}.get(self.row, drawn)

    @property
    def message_id(self) -> int:
        return self.limit - 1 if self.row % 10 == 0 else self.number("message id") % self.limit

    @property
    def index(self) -> int:
        return self.number("index") % (1 << rln.TREE_DEPTH)

    @property
    def siblings(self) -> list[bytes]:
        return [self.value(f"sibling {level}") for level in range(rln.TREE_DEPTH)]

    def membership(self, root: bytes, **changed: Any) -> Membership:
        values = {"limit": self.limit, "siblings": self.siblings, "index": self.index} | changed
        return Membership.of(Identity.from_secret(self.value("secret")), root=root, **values)


def specified(witness: Witness) -> tuple[bytes, bytes, bytes]:
    """y, root and nullifier from the specification's text."""
    secret = witness.value("secret")
    node = rln.rate_commitment(poseidon_hash([secret]), witness.limit)
    for level, sibling in enumerate(witness.siblings):
        is_right = witness.index >> level & 1
        node = poseidon_hash([sibling, node] if is_right else [node, sibling])
    message_id = witness.message_id.to_bytes(32, "little")
    slope = poseidon_hash([secret, witness.value("external nullifier"), message_id])
    moved = int.from_bytes(slope, "little") * witness.number("x")
    y = (witness.number("secret") + moved) % MODULUS
    return y.to_bytes(32, "little"), node, poseidon_hash([slope])


@cache
def outputs() -> list[tuple[bytes, bytes, bytes]]:
    return [specified(Witness(row)) for row in range(VECTORS["count"])]


def published(case: dict[str, str]) -> tuple[bytes, ...]:
    values = (int(case[name], 16) for name in ("y", "root", "nullifier"))
    return tuple(value.to_bytes(32, "little") for value in values)


def test_r1_the_specification_is_the_circuits_on_1000_witnesses() -> None:
    assert [published(case) for case in VECTORS["rows"]] == outputs()[: len(VECTORS["rows"])]
    joined = b"".join(b"".join(values) for values in outputs())
    assert VECTORS["count"] == 1_000
    assert hashlib.sha256(joined).hexdigest() == VECTORS["digest"]["value"]


def test_r1_paths_lead_to_the_circuits_roots_and_wrong_ones_do_not() -> None:
    for row, (_, root, _) in enumerate(outputs()[:200]):
        witness = Witness(row)
        assert witness.membership(root).root == root
        bent = [witness.siblings[-1], *witness.siblings[1:]]
        for wrong in ({"index": witness.index ^ 1}, {"siblings": bent}):
            assert reason(witness.membership, root, **wrong) == "PATH_NOT_TO_ROOT"


@pytest.mark.proofs
@pytest.mark.timeout(1_800)
def test_r1_proofs_show_the_circuits_values_and_hold_for_no_others() -> None:
    for row in range(0, VECTORS["count"], max(1, VECTORS["count"] // PROVEN)):
        witness = Witness(row)
        y, root, nullifier = outputs()[row]
        x, external = witness.value("x"), witness.value("external nullifier")
        preparer = witness.membership(root).preparer()

        proof = preparer.prepare(external, witness.message_id).finish(x)

        assert proof.public_inputs == [y, root, nullifier, x, external]
        proof.verify(rln.Expected([root], external, x))
        other = Witness(row + VECTORS["count"])
        expected = rln.Expected([root], other.value("external nullifier"), x)
        assert reason(proof.verify, expected) == "EXTERNAL_NULLIFIER_MISMATCH"
        expected = rln.Expected([root], external, other.value("x"))
        assert reason(proof.verify, expected) == "SIGNAL_MISMATCH"


@pytest.mark.proofs
@pytest.mark.parametrize("row", [0, 1, 2, 500])
def test_r1_what_the_circuit_refuses_is_refused_by_name(row: int) -> None:
    """Ids from outside the range; a path bit that is none has no form in `Membership`."""
    witness = Witness(row)
    _, root, _ = outputs()[row]
    member = witness.membership(root)
    preparer = member.preparer()
    external, x = witness.value("external nullifier"), witness.value("x")

    for message_id in (witness.limit, witness.limit + 1, 65_536, MODULUS - 1):
        for prove in (
            lambda at=message_id: preparer.prepare(external, at),
            lambda at=message_id: member.prove(external, x, at),
        ):
            assert reason(prove) == "MESSAGE_ID_OUT_OF_RANGE"
    assert reason(witness.membership, root, index=1 << rln.TREE_DEPTH) == "PATH_INDEX_OUT_OF_RANGE"


def test_r1_a_limit_that_the_circuit_lets_through_is_refused() -> None:
    """RLN-2: the circuit compares 16 bits, and takes a limit of 17."""
    [case] = VECTORS["accepted"]
    limit = int(case["userMessageLimit"])
    witness = Witness(0)
    _, root, _ = outputs()[0]

    assert limit > rln.MAX_MESSAGE_LIMIT
    assert reason(witness.membership, root, limit=limit) == "LIMIT_OUT_OF_RANGE"


def reason(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        call(*arguments, **named)
    return caught.value.reason
