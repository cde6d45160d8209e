"""Judges messages before they are passed on: a machine (`logos_base.machine`).

Cheapest first: size, form, timestamp, signature of a protected shard, proof. What the mixnet must
judge leaves as an effect; everything else is judged at once.

Spec: docs/protocol/delivery-sending.md, DSN-15 to DSN-20.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from logos_base.errors import LogosError
from logos_base.gossip import Verdict
from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.message import (
    MAX_MESSAGE_BYTES,
    Message,
    check_size,
    decode,
    message_hash,
)
from logos_delivery.core.relay import proof as proofs
from logos_delivery.core.relay.errors import (
    NotBlamedError,
    ProofEpochError,
    RateLimitProofMalformedError,
    RateLimitProofMissingError,
    RateLimitProofNotJudgedError,
    RateLimitProofRefusedError,
    RateLimitProofRepeatedError,
    RateLimitProofStaleError,
    TimestampTooFarError,
)
from logos_delivery.core.relay.evidence import Proofs
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER, RateLimitProof
from logos_delivery.core.relay.signed import ShardKey
from logos_delivery.core.sending.outcomes import RLN_REFUSAL

MAX_JUDGING: Final = 1_024
MAX_GAP_MS: Final = 20_000


class ProofVerdict(Enum):
    """Of the mixnet: `logos.network.v1.ProofVerdict`."""

    VALID = "valid"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    VIOLATION = "rate_limit_violation"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rate limits of a network."""

    period_ms: int
    """Of an epoch, as the mixnet counts them."""
    identifier: bytes = RELAY_IDENTIFIER


@dataclass(frozen=True, slots=True)
class RelayRules:
    """What a network asks of messages."""

    max_message_bytes: int = MAX_MESSAGE_BYTES
    rate_limits: RateLimits | None = None
    """None: neither timestamps nor proofs are looked at."""
    shard_keys: Mapping[str, ShardKey] = field(default_factory=dict)
    """Of protected shards, by pubsub topic."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask the mixnet for a verdict (`VerifyProof`); report with `verified` or `unverified`."""

    job: int
    identifier: bytes
    signal: bytes
    proof: bytes
    """301 bytes."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Tell gossip the verdict on a message."""

    gossip_id: bytes
    verdict: Verdict
    reason: str
    """Empty for ACCEPT."""


@dataclass(frozen=True, slots=True)
class Pass:
    """An accepted message: for filters, the store, and this node's own subscriptions."""

    pubsub_topic: str
    message: Message
    message_hash: bytes


@dataclass(frozen=True, slots=True)
class Convict:
    """A member has used one message id for two messages; the mixnet recovers its secret."""

    identifier: bytes
    one: bytes
    other: bytes


Effect = Verify | Judge | Pass | Convict | Answer | Refuse


@dataclass(frozen=True, slots=True)
class _Job:
    source: bytes | Ticket
    """The id of gossip, or the question."""
    pubsub_topic: str
    message: Message
    proof: RateLimitProof


class RelayGuard:
    """The machine. `check` is answered with None."""

    def __init__(self, rules: RelayRules) -> None:
        self._rules = rules
        self._numbers = itertools.count(1)
        self._judging: dict[int, _Job] = {}
        self._proofs = Proofs()

    def received(
        self, gossip_id: bytes, pubsub_topic: str, raw: bytes, now_ms: int
    ) -> list[Effect]:
        """Judges a message of a neighbour. Untrusted.

        Args:
            gossip_id: 32 bytes (DEL-4).
            pubsub_topic: On which it came.
            raw: The encoded message.
            now_ms: Unix time.
        """
        return self._begin(gossip_id, pubsub_topic, raw, now_ms)

    def check(self, ticket: Ticket, pubsub_topic: str, raw: bytes, now_ms: int) -> list[Effect]:
        """Judges a message before this node publishes it for another, as lightpush. Untrusted.

        Refused with the error of the rule that it breaks, whose text a lightpush client gets. A
        message that was judged before is accepted again: its client may not know that.
        """
        return self._begin(ticket, pubsub_topic, raw, now_ms)

    def check_history(
        self, ticket: Ticket, pubsub_topic: str, raw: bytes, now_ms: int
    ) -> list[Effect]:
        """Judges a message that another store node has kept (DST-38), as `check`.

        Its time may be long ago; the mixnet judges proofs of the last epochs alone.
        """
        return self._begin(ticket, pubsub_topic, raw, now_ms, is_history=True)

    def verified(self, job: int, verdict: ProofVerdict, reason: str, _now_ms: int) -> list[Effect]:
        """Takes the mixnet's verdict, and its reason if the proof is INVALID."""
        judged = self._judging.pop(job)
        is_question = not isinstance(judged.source, bytes)
        if verdict is ProofVerdict.VALID:
            self._proofs.note(judged.proof)
        if verdict is ProofVerdict.VALID or (is_question and verdict is ProofVerdict.DUPLICATE):
            return self._accept(judged.source, judged.pubsub_topic, judged.message)
        effects: list[Effect] = []
        if verdict is ProofVerdict.VIOLATION:
            first = self._proofs.take(judged.proof)
            if first is not None:
                effects.append(Convict(judged.proof.identifier, first, judged.proof.lip144()))
        return [*effects, self._refuse(judged.source, _refusal_of(verdict, reason))]

    def unverified(self, job: int, _now_ms: int) -> list[Effect]:
        """The mixnet gave no verdict: it does not answer, or has too much to do."""
        judged = self._judging.pop(job)
        return [self._refuse(judged.source, RateLimitProofNotJudgedError("no verdict"))]

    def tick(self, _now_ms: int) -> list[Effect]:
        """Does nothing: every job ends with an input."""
        return []

    def next_wake_ms(self) -> int | None:
        """Returns None."""
        return None

    def _begin(
        self,
        source: bytes | Ticket,
        pubsub_topic: str,
        raw: bytes,
        now_ms: int,
        *,
        is_history: bool = False,
    ) -> list[Effect]:
        try:
            check_size(raw, self._rules.max_message_bytes)
            message = decode(raw)
            key = self._rules.shard_keys.get(pubsub_topic)
            limits = self._rules.rate_limits
            if limits is not None and not is_history:
                _check_stamp(message, now_ms)
            if key is not None:
                key.check(pubsub_topic, message, now_ms)
            if limits is None:
                return self._accept(source, pubsub_topic, message)
            proof = _proof_of(message, limits)
            if len(self._judging) >= MAX_JUDGING:
                raise RateLimitProofNotJudgedError(f"{MAX_JUDGING} proofs are being judged")
        except LogosError as error:
            return [self._refuse(source, error)]
        job = next(self._numbers)
        self._judging[job] = _Job(source, pubsub_topic, message, proof)
        return [Verify(job, limits.identifier, proofs.signal_of(message), proof.lip144())]

    def _accept(self, source: bytes | Ticket, pubsub_topic: str, message: Message) -> list[Effect]:
        if not isinstance(source, bytes):
            return [Answer(source)]
        digest = message_hash(pubsub_topic, message)
        return [Judge(source, Verdict.ACCEPT, ""), Pass(pubsub_topic, message, digest)]

    def _refuse(self, source: bytes | Ticket, error: LogosError) -> Effect:
        if not isinstance(source, bytes):
            return Refuse(source, error)
        is_blamed = not isinstance(error, NotBlamedError)
        return Judge(source, Verdict.REJECT if is_blamed else Verdict.IGNORE, error.reason)


def _check_stamp(message: Message, now_ms: int) -> None:
    if abs(now_ms * 1_000_000 - message.timestamp_ns) > MAX_GAP_MS * 1_000_000:
        raise TimestampTooFarError(f"{RLN_REFUSAL}: timestamp over {MAX_GAP_MS} ms away")


def _proof_of(message: Message, limits: RateLimits) -> RateLimitProof:
    if not message.proof:
        raise RateLimitProofMissingError(f"{RLN_REFUSAL}: no proof")
    try:
        proof = proofs.decode(message.proof)
    except RateLimitProofMalformedError as error:
        raise RateLimitProofMalformedError(f"{RLN_REFUSAL}: {error}") from error
    if proof.identifier != limits.identifier:
        raise RateLimitProofMalformedError(f"{RLN_REFUSAL}: of another application")
    if proof.epoch != proofs.epoch_of(message, limits.period_ms):
        raise ProofEpochError(f"{RLN_REFUSAL}: another epoch than the timestamp's")
    return proof


def _refusal_of(verdict: ProofVerdict, reason: str) -> LogosError:
    if verdict is ProofVerdict.DUPLICATE:
        return RateLimitProofRepeatedError(f"{RLN_REFUSAL}: {reason}")
    if reason == "ROOT_UNKNOWN":
        return RateLimitProofStaleError(f"{RLN_REFUSAL}: {reason}")
    return RateLimitProofRefusedError(f"{RLN_REFUSAL}: {reason}")
