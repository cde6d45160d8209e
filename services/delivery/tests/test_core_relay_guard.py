"""DSN-15 to DSN-19: which messages are passed on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import LogosError
from logos_base.gossip import Verdict
from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.message import Message, encode, message_hash
from logos_delivery.core.relay.evidence import MAX_PROOFS, Proofs
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER, RateLimitProof, epoch_of, signal_of
from logos_delivery.core.relay.relay_guard import (
    MAX_GAP_MS,
    MAX_JUDGING,
    Convict,
    Judge,
    Pass,
    ProofVerdict,
    RateLimits,
    RelayGuard,
    RelayRules,
    Verify,
)
from logos_delivery.core.relay.signed import ShardKey

SHARD = "/waku/2/rs/66/1"
ID = bytes(31) + b"\7"
T = 1_800_000_000_000
PERIOD_MS = 10_000
LIMITS = RelayRules(rate_limits=RateLimits(PERIOD_MS))
PUBLIC_KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
MESSAGE = Message(b"payload", "/app/1/name/proto", timestamp_ns=T * 1_000_000)


def proof_for(message: Message, nullifier: int = 1, **fields: Any) -> RateLimitProof:
    value = bytes(32)
    proof = RateLimitProof(
        bytes(128), value, epoch_of(message, PERIOD_MS), value, value, bytes([nullifier]) * 32
    )
    return replace(proof, **fields)


def proven(message: Message = MESSAGE, **fields: Any) -> Message:
    return replace(message, proof=proof_for(message, **fields).encode())


def verify_of(effects: Sequence[object]) -> Verify:
    [verify] = effects
    assert isinstance(verify, Verify)
    return verify


def verdict_of(effects: Sequence[object]) -> tuple[Verdict, str]:
    [judged] = [effect for effect in effects if isinstance(effect, Judge)]
    assert judged.gossip_id == ID
    return judged.verdict, judged.reason


def test_without_rate_limits_every_message_is_passed_on() -> None:
    message = replace(MESSAGE, timestamp_ns=0)

    effects = RelayGuard(RelayRules()).received(ID, SHARD, encode(message), T)

    assert effects == [
        Judge(ID, Verdict.ACCEPT, ""),
        Pass(SHARD, message, message_hash(SHARD, message)),
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "DELIVERY_MESSAGE_MALFORMED"),
        (b"\xff", "DELIVERY_MESSAGE_MALFORMED"),
        (encode(replace(MESSAGE, payload=bytes(153_600))), "DELIVERY_MESSAGE_TOO_LARGE"),
    ],
)
def test_size_and_form_come_first(raw: bytes, reason: str) -> None:
    effects = RelayGuard(LIMITS).received(ID, SHARD, raw, T)
    assert verdict_of(effects) == (Verdict.REJECT, reason)


@pytest.mark.parametrize("side", [1, -1])
def test_a_timestamp_over_twenty_seconds_away_is_rejected(side: int) -> None:
    guard, raw = RelayGuard(LIMITS), encode(proven())

    assert isinstance(guard.received(ID, SHARD, raw, T + side * MAX_GAP_MS)[0], Verify)
    effects = guard.received(ID, SHARD, raw, T + side * (MAX_GAP_MS + 1))
    assert verdict_of(effects) == (Verdict.REJECT, "TIMESTAMP_TOO_FAR")


def test_the_time_of_a_message_from_a_store_node_is_not_looked_at_but_its_proof_is() -> None:
    """DST-38."""
    guard, hour_ms = RelayGuard(LIMITS), 3_600_000
    verify = verify_of(guard.check_history(Ticket(1), SHARD, encode(proven()), T + hour_ms))
    assert guard.verified(verify.job, ProofVerdict.VALID, "", T) == [Answer(Ticket(1))]
    [refused] = guard.check_history(Ticket(2), SHARD, encode(MESSAGE), T + hour_ms)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, LogosError)
    assert refused.error.reason == "RATE_LIMIT_PROOF_MISSING"


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("RLN_EPOCH_TOO_FAR", "RATE_LIMIT_PROOF_REFUSED"),
        ("ROOT_UNKNOWN", "RATE_LIMIT_PROOF_STALE"),
    ],
)
def test_history_with_an_old_epoch_or_root_is_not_let_in(why: str, expected: str) -> None:
    """DST-38: of such epochs the mixnet remembers no nullifiers."""
    guard = RelayGuard(LIMITS)
    verify = verify_of(guard.check_history(Ticket(1), SHARD, encode(proven()), T + 3_600_000))
    [refused] = guard.verified(verify.job, ProofVerdict.INVALID, why, T)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, LogosError)
    assert (refused.ticket, refused.error.reason) == (Ticket(1), expected)


def test_a_protected_shard_wants_a_signature_and_the_others_do_not() -> None:
    guard = RelayGuard(RelayRules(shard_keys={SHARD: ShardKey(PUBLIC_KEY)}))
    raw = encode(MESSAGE)

    rejected = guard.received(ID, SHARD, raw, T)

    assert verdict_of(rejected) == (Verdict.REJECT, "SHARD_SIGNATURE_INVALID")
    accepted = guard.received(ID, "/waku/2/rs/66/2", raw, T)
    assert verdict_of(accepted) == (Verdict.ACCEPT, "")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (MESSAGE, "RATE_LIMIT_PROOF_MISSING"),
        (replace(MESSAGE, proof=b"no"), "RATE_LIMIT_PROOF_MALFORMED"),
        (proven(identifier=bytes(32)), "RATE_LIMIT_PROOF_MALFORMED"),
        (proven(epoch=epoch_of(MESSAGE, PERIOD_MS) + 1), "PROOF_EPOCH_MISMATCH"),
    ],
)
def test_what_the_mixnet_need_not_look_at(message: Message, reason: str) -> None:
    effects = RelayGuard(LIMITS).received(ID, SHARD, encode(message), T)
    assert verdict_of(effects) == (Verdict.REJECT, reason)


def test_the_mixnet_gets_the_signal_and_the_proof_in_its_form() -> None:
    verify = verify_of(RelayGuard(LIMITS).received(ID, SHARD, encode(proven()), T))

    assert verify == Verify(1, RELAY_IDENTIFIER, signal_of(MESSAGE), proof_for(MESSAGE).lip144())


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        (ProofVerdict.VALID, "", (Verdict.ACCEPT, "")),
        (ProofVerdict.INVALID, "PROOF_REFUSED", (Verdict.REJECT, "RATE_LIMIT_PROOF_REFUSED")),
        (ProofVerdict.INVALID, "RLN_EPOCH_TOO_FAR", (Verdict.REJECT, "RATE_LIMIT_PROOF_REFUSED")),
        (ProofVerdict.INVALID, "ROOT_UNKNOWN", (Verdict.IGNORE, "RATE_LIMIT_PROOF_STALE")),
        (
            ProofVerdict.DUPLICATE,
            "RLN_PROOF_REPEATED",
            (Verdict.IGNORE, "RATE_LIMIT_PROOF_REPEATED"),
        ),
        (
            ProofVerdict.VIOLATION,
            "RLN_MESSAGE_ID_REUSED",
            (Verdict.REJECT, "RATE_LIMIT_PROOF_REFUSED"),
        ),
    ],
)
def test_the_mixnets_verdicts(
    verdict: ProofVerdict, reason: str, expected: tuple[Verdict, str]
) -> None:
    guard = RelayGuard(LIMITS)
    verify = verify_of(guard.received(ID, SHARD, encode(proven()), T))

    effects = guard.verified(verify.job, verdict, reason, T)

    assert verdict_of(effects) == expected
    assert any(isinstance(effect, Pass) for effect in effects) == (verdict is ProofVerdict.VALID)


def test_without_a_verdict_a_message_is_ignored() -> None:
    guard = RelayGuard(LIMITS)
    verify = verify_of(guard.received(ID, SHARD, encode(proven()), T))
    assert verdict_of(guard.unverified(verify.job, T)) == (
        Verdict.IGNORE,
        "RATE_LIMIT_PROOF_NOT_JUDGED",
    )


def test_at_most_so_many_are_judged_at_a_time() -> None:
    guard, raw = RelayGuard(LIMITS), encode(proven())
    jobs = [guard.received(ID, SHARD, raw, T)[0] for _ in range(MAX_JUDGING)]

    assert verdict_of(guard.received(ID, SHARD, raw, T))[0] is Verdict.IGNORE

    first = jobs[0]
    assert isinstance(first, Verify)
    guard.unverified(first.job, T)
    assert isinstance(guard.received(ID, SHARD, raw, T)[0], Verify)
    assert guard.next_wake_ms() is None
    assert guard.tick(T) == []


def test_two_messages_under_one_id_are_evidence_once() -> None:
    guard = RelayGuard(LIMITS)
    one, other = MESSAGE, replace(MESSAGE, payload=b"other")
    for message in (one, other):
        guard.received(ID, SHARD, encode(proven(message, share_x=message.payload[:1] * 32)), T)
    guard.verified(1, ProofVerdict.VALID, "", T)

    effects = guard.verified(2, ProofVerdict.VIOLATION, "RLN_MESSAGE_ID_REUSED", T)

    [convict] = [effect for effect in effects if isinstance(effect, Convict)]
    assert convict == Convict(
        RELAY_IDENTIFIER,
        proof_for(one, share_x=b"p" * 32).lip144(),
        proof_for(other, share_x=b"o" * 32).lip144(),
    )
    guard.received(ID, SHARD, encode(proven(other)), T)
    again = guard.verified(3, ProofVerdict.VIOLATION, "RLN_MESSAGE_ID_REUSED", T)
    assert [type(effect) for effect in again] == [Judge]


def test_evidence_is_bounded() -> None:
    proofs = Proofs()
    for number in range(MAX_PROOFS + 1):
        proofs.note(replace(proof_for(MESSAGE), nullifier=number.to_bytes(32, "big")))
    assert proofs.take(replace(proof_for(MESSAGE), nullifier=bytes(32))) is None
    assert proofs.take(replace(proof_for(MESSAGE), nullifier=bytes(31) + b"\1")) is not None


def test_a_message_of_a_light_client_is_answered_and_not_judged() -> None:
    guard = RelayGuard(LIMITS)
    verify = verify_of(guard.check(Ticket(5), SHARD, encode(proven()), T))

    assert guard.verified(verify.job, ProofVerdict.VALID, "", T) == [Answer(Ticket(5))]


def test_a_light_client_may_repeat_a_message() -> None:
    guard = RelayGuard(LIMITS)
    verify = verify_of(guard.check(Ticket(5), SHARD, encode(proven()), T))

    effects = guard.verified(verify.job, ProofVerdict.DUPLICATE, "RLN_PROOF_REPEATED", T)

    assert effects == [Answer(Ticket(5))]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            encode(replace(MESSAGE, payload=bytes(153_600))),
            "Message size exceeded maximum of 153600",
        ),
        (encode(MESSAGE), "RLN validation failed"),
        (encode(proven(epoch=1)), "RLN validation failed"),
    ],
)
def test_a_light_client_is_told_why_in_the_references_words(raw: bytes, text: str) -> None:
    [refused] = RelayGuard(LIMITS).check(Ticket(5), SHARD, raw, T)
    assert isinstance(refused, Refuse)
    assert text in str(refused.error)


@given(st.binary(max_size=300))
def test_any_bytes_get_one_verdict(raw: bytes) -> None:
    effects = RelayGuard(LIMITS).received(ID, SHARD, raw, T)
    assert verdict_of(effects)[0] is Verdict.REJECT
