"""FOL-3, FOL-4: what is verified, in which order, where, and what the reason is."""

import threading
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest
from chain_blocks import candidate, identified
from chain_blocks import field as field_value
from chain_ledger import activity
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.blocks import signed_bytes
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.types import SignedHeader
from logos_chain.core.consensus.validation import LeadershipClaim
from logos_chain.core.ledger.errors import Unmet
from logos_chain.core.ledger.obligations import (
    ActivityObligation,
    CircuitObligation,
    Ed25519Obligation,
)
from logos_chain.operations.verifying import ProofVerifier, leadership_inputs
from logos_crypto.hashes import MODULUS
from logos_zone_sdk.core.signatures import is_signature

HALF = Fraction(1, 2)
EPOCH = EpochState(3, field_value("aged"), field_value("nonce"), 1000)
GOOD, BAD = bytes(128), b"\1" * 128


@dataclass
class Asked:
    """`Proofs` that finds all but `BAD` to hold, and remembers."""

    calls: list[tuple[str, int]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def all_hold(self, circuit: str, proofs: Any) -> bool:
        self.calls.append((circuit, len(proofs)))
        self.threads.add(threading.current_thread().name)
        return all(proof != BAD for _, proof in proofs)


def key_of(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(identified(name))


def claim(name: str, proof: bytes = GOOD, *, is_signed: bool = True) -> LeadershipClaim:
    key = key_of(name)
    made = candidate(
        name, identified("parent"), 9, leader_key=key.public_key().public_bytes_raw(), proof=proof
    )
    signature = key.sign(signed_bytes(made.header)) if is_signed else bytes(64)
    return LeadershipClaim(SignedHeader(made.header, signature), EPOCH, field_value("latest"))


@pytest.mark.parametrize(
    ("claims", "reason", "calls"),
    [
        ([claim("a")], None, [("leadership", 1)]),
        ([claim("a"), claim("b"), claim("c")], None, [("leadership", 3)]),
        ([claim("a", BAD)], RejectReason.INVALID_PROOF, [("leadership", 1)]),
        (
            [claim("a", BAD), claim("b", BAD)],
            RejectReason.INVALID_PROOF,
            [("leadership", 2), ("leadership", 1)],
        ),
        (
            [claim("a"), claim("b", BAD)],
            RejectReason.INVALID_UNCLE_PROOF,
            [("leadership", 2), ("leadership", 1)],
        ),
        ([claim("a", BAD, is_signed=False)], RejectReason.INVALID_SIGNATURE, []),
        ([claim("a"), claim("b", is_signed=False)], RejectReason.INVALID_UNCLE_PROOF, []),
    ],
)
async def test_claims_are_verified_at_once_and_signatures_before_them(
    claims: list[LeadershipClaim], reason: RejectReason | None, calls: list[tuple[str, int]]
) -> None:
    proofs = Asked()

    found = await ProofVerifier(proofs, HALF).claims(claims)

    assert found is reason
    assert proofs.calls == calls
    assert threading.current_thread().name not in proofs.threads


def circuit(name: str, proof: bytes = GOOD) -> CircuitObligation:
    return CircuitObligation(name, b"", proof)


def signature(*, holds: bool = True) -> Ed25519Obligation:
    key = key_of("signer")
    made = key.sign(b"message")
    public = key.public_key().public_bytes_raw()
    return Ed25519Obligation(public, b"message" if holds else b"another", made)


ACTIVITY = ActivityObligation(activity(1), bytes(32), 0, 1)


@pytest.mark.parametrize(
    ("obligations", "unmet", "calls"),
    [
        ([], None, []),
        ([signature()], None, []),
        (
            [circuit("signature2"), circuit("claim"), signature(), circuit("signature2")],
            None,
            [("claim", 1), ("signature2", 2)],
        ),
        ([circuit("signature2", BAD), signature(holds=False)], Unmet.SIGNATURE, []),
        (
            [circuit("signature2"), circuit("signature2", BAD)],
            Unmet.ZK_SIGNATURE,
            [("signature2", 2)],
        ),
        ([circuit("signature32", BAD)], Unmet.ZK_SIGNATURE, [("signature32", 1)]),
        ([circuit("claim", BAD), circuit("signature2")], Unmet.CLAIM, [("claim", 1)]),
        ([circuit("claim"), ACTIVITY], Unmet.ACTIVITY_UNVERIFIABLE, []),
    ],
)
async def test_obligations_are_verified_once_a_circuit(
    obligations: list[Any], unmet: Unmet | None, calls: list[tuple[str, int]]
) -> None:
    proofs = Asked()

    found = await ProofVerifier(proofs, HALF).obligations(obligations)

    assert found is unmet
    assert proofs.calls == calls


def test_public_inputs_stand_in_the_published_order() -> None:
    made = claim("a")
    inputs = leadership_inputs(made, HALF)

    parts = [inputs[at : at + 32] for at in range(0, len(inputs), 32)]
    header = made.signed.header
    assert len(parts) == 9
    assert parts[0] == header.entropy
    assert int.from_bytes(parts[1], "little") == header.slot
    assert parts[2] == EPOCH.nonce
    assert parts[5:7] == [EPOCH.aged_root, made.latest_root]
    assert parts[7] == header.leader_key[:16] + bytes(16)
    assert parts[8] == header.leader_key[16:] + bytes(16)


def test_thresholds_of_one_token_are_field_values() -> None:
    tiny = replace(claim("a"), epoch=replace(EPOCH, total_stake=1))

    inputs = leadership_inputs(tiny, Fraction(9, 10))

    assert all(int.from_bytes(inputs[at : at + 32], "little") < MODULUS for at in range(0, 288, 32))


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, identified("no point")])
def test_a_key_that_is_no_point_signs_nothing(key: bytes) -> None:
    made = signature()

    assert not is_signature(key, made.message, made.signature)
