"""Proofs of other modules' own messages, under identifiers of their own (RLN-33)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from logos_base.errors import LogosError, RemoteFaultError
from logos_base.machine import Refuse, Ticket
from logos_crypto.hashes import FIELD_BYTES
from logos_crypto.refusals import PeerRefusedError
from logos_crypto.rln import Identity
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.errors import (
    EvidenceError,
    MessageIdReusedError,
    ProofRepeatedError,
    RootsError,
    SignalSizeError,
)
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.guard import ProofGuard, Verify
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.rln.nullifiers import Point, Sighting
from logos_mixnet.core.rln.slashing import Evidence
from logos_mixnet.core.rln.verification import verify_all
from logos_mixnet.operations.rln import RlnOperations
from logos_mixnet.operations.rln_scopes import check_identifier

MAX_SIGNAL_BYTES: Final = 1 << 20
MAX_ROOTS: Final = 64


class Verdict(Enum):
    """As the RLN API has it."""

    VALID = "valid"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    VIOLATION = "rate_limit_violation"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a proof is, and the reason if it is not valid."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """The budget of one identifier."""

    epoch: int
    limit: int
    left: int


class RlnSignals:
    """What other modules prove and verify."""

    def __init__(self, rln: RlnOperations) -> None:
        self._rln = rln

    async def quota(self, identifier: bytes) -> Quota:
        """Returns what is left in the present epoch; no limit if this node is no member."""
        now_ms = self._rln.now_ms()
        epoch = self._rln.member.epochs.at(now_ms)
        scope = await self._rln.scopes.get(identifier)
        if not self._rln.standing.is_member:
            return Quota(epoch, 0, 0)
        return Quota(epoch, self._rln.member.limit, scope.proofs.ids.left(now_ms))

    async def prove(self, identifier: bytes, signal: bytes, *, waits: bool) -> bytes:
        """Spends an id of the present epoch; returns the proof, 301 bytes."""
        _check_signal(signal)
        scope = await self._rln.scopes.get(identifier)
        return await scope.proofs.prove(signal, Purpose.OWN if waits else Purpose.FORWARD)

    async def verify(self, identifier: bytes, signal: bytes, proof: bytes) -> Judgement:
        """Judges a proof by everything, and remembers its nullifier."""
        _check_signal(signal)
        scope = await self._rln.scopes.get(identifier)
        try:
            await scope.checks.check(signal, proof)
        except (RemoteFaultError, PeerRefusedError) as error:
            return _judged(error)
        return Judgement(Verdict.VALID)

    async def verify_with(
        self, identifier: bytes, signal: bytes, proof: bytes, roots: Sequence[bytes]
    ) -> Judgement:
        """Judges a proof against roots of the caller's, and remembers nothing."""
        _check_signal(signal)
        if not 0 < len(roots) <= MAX_ROOTS or any(len(each) != FIELD_BYTES for each in roots):
            raise RootsError(f"there are 1 to {MAX_ROOTS} roots of {FIELD_BYTES} bytes")
        check_identifier(identifier)
        now_ms, ticket = self._rln.now_ms(), Ticket(1)
        guard = ProofGuard(Application(identifier), self._rln.member.epochs)
        guard.members_changed(roots, 1, now_ms)
        [effect] = guard.check(ticket, proof, signal, now_ms)
        if isinstance(effect, Refuse):
            return _judged(effect.error)
        assert isinstance(effect, Verify)  # noqa: S101 -- a new guard knows no nullifier
        [error] = await self._rln.threads.verify(verify_all, [effect])
        return Judgement(Verdict.VALID) if error is None else _judged(error)

    def recover(self, identifier: bytes, one: bytes, other: bytes) -> Identity:
        """Recovers the secret of who used an id for two messages.

        Raises:
            ProofMalformedError, EvidenceError
        """
        check_identifier(identifier)
        first, second = ProofFrame.decode(one), ProofFrame.decode(other)
        if (first.epoch, first.nullifier) != (second.epoch, second.nullifier):
            raise EvidenceError("the proofs are of different epochs or message ids")
        seen = Sighting(first.epoch, first.nullifier, Point(first.share_x, first.share_y))
        external_nullifier = Application(identifier).external_nullifier(first.epoch)
        point = Point(second.share_x, second.share_y)
        return Evidence.of(seen, point, external_nullifier).identity()


def _check_signal(signal: bytes) -> None:
    if not 0 < len(signal) <= MAX_SIGNAL_BYTES:
        raise SignalSizeError(f"a signal has 1 to {MAX_SIGNAL_BYTES} bytes")


def _judged(error: Exception) -> Judgement:
    if isinstance(error, ProofRepeatedError):
        return Judgement(Verdict.DUPLICATE, error.reason)
    if isinstance(error, MessageIdReusedError):
        return Judgement(Verdict.VIOLATION, error.reason)
    assert isinstance(error, LogosError)  # noqa: S101 -- as all of a guard's
    return Judgement(Verdict.INVALID, error.reason)
