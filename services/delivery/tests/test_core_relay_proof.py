"""DSN-17: the proof that a message carries."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.protobuf import bytes_field
from logos_delivery.core.message import Message
from logos_delivery.core.relay.errors import RateLimitProofMalformedError
from logos_delivery.core.relay.proof import (
    LIP144_BYTES,
    PROOF_BYTES,
    RELAY_IDENTIFIER,
    RateLimitProof,
    decode,
    epoch_of,
    of_lip144,
    signal_of,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/relay.json").read_text("utf-8")
)
values = st.binary(min_size=32, max_size=32)
proofs = st.builds(
    RateLimitProof,
    groth16=st.binary(min_size=128, max_size=128),
    root=values,
    epoch=st.integers(0, 2**64 - 1),
    share_x=values,
    share_y=values,
    nullifier=values,
    identifier=values,
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: case["id"])
def test_the_published_fields(case: dict[str, Any]) -> None:
    fields = {name: bytes.fromhex(value) for name, value in case["fields"].items()}
    proof = RateLimitProof(
        fields["proof"],
        fields["merkle_root"],
        int.from_bytes(fields["epoch"], "little"),
        fields["share_x"],
        fields["share_y"],
        fields["nullifier"],
        fields["rln_identifier"],
    )
    assert proof.encode().hex() == case["encoded"]
    assert decode(bytes.fromhex(case["encoded"])) == proof


@pytest.mark.vectors
def test_the_published_identifier() -> None:
    assert RELAY_IDENTIFIER.hex() == VECTORS["identifier"]


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["epochs"], ids=lambda case: case["id"])
def test_the_published_epoch(case: dict[str, Any]) -> None:
    message = Message(b"x", "/a/1/b/c", timestamp_ns=case["unix_time_s"] * 1_000_000_000)
    assert epoch_of(message, case["period_s"] * 1_000) == case["epoch"]


@given(proofs)
def test_every_proof_is_read_as_it_was_written(proof: RateLimitProof) -> None:
    raw = proof.encode()
    assert len(raw) == PROOF_BYTES
    assert decode(raw) == proof


@given(proofs)
def test_the_mixnets_form_lacks_the_identifier_alone(proof: RateLimitProof) -> None:
    assert len(proof.lip144()) == LIP144_BYTES
    assert of_lip144(proof.lip144(), proof.identifier) == proof
    assert proof.encode() == proof.lip144() + bytes_field(7, proof.identifier)


def test_fields_may_come_in_any_order() -> None:
    value = bytes(32)
    proof = RateLimitProof(bytes(128), value, 1, value, value, value, value)
    raw = proof.encode()
    assert decode(raw[131:] + raw[:131]) == proof


@given(st.binary(max_size=400))
def test_any_bytes_are_a_proof_or_refused(raw: bytes) -> None:
    with pytest.raises(RateLimitProofMalformedError):
        decode(raw)


@pytest.mark.parametrize("cut", [1, 34, 334])
def test_what_lacks_bytes_is_no_proof(cut: int) -> None:
    value = bytes(32)
    raw = RateLimitProof(bytes(128), value, 1, value, value, value).encode()
    with pytest.raises(RateLimitProofMalformedError):
        decode(raw[:-cut])
    with pytest.raises(RateLimitProofMalformedError):
        decode(raw + bytes(1_024))
    with pytest.raises(RateLimitProofMalformedError, match="64 bits"):
        decode(raw + bytes_field(3, bytes(31) + b"\1"))


def test_the_signal_is_payload_topic_and_timestamp() -> None:
    message = Message(b"\1\2", "/a", timestamp_ns=258, meta=b"m", is_ephemeral=True)
    assert signal_of(message).hex() == "0102" + "2f61" + "0201000000000000"
    assert signal_of(Message(b"x", "/", timestamp_ns=-1))[2:] == b"\xff" * 8
