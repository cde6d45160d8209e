"""What a relay does with the proof of a packet, cheapest first (RLN-19).

Form, epoch, root, signal, what is known of the nullifier; then the proof; then the nullifier is
noted. A packet is answered for once: with None, or with the error for which it is dropped.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto import rln
from logos_crypto.rln_refusals import RootUnknownError, SignalError
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import (
    EpochTooFarError,
    EvidenceError,
    MessageIdReusedError,
    ProofRepeatedError,
    VerifierBusyError,
)
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.metadata import Told
from logos_mixnet.core.rln.nullifiers import NullifierLog, Point, Sight, Sighting
from logos_mixnet.core.rln.slashing import Evidence

MAX_VERIFYING: Final = 1_024
MAX_REPORTED: Final = 4_096
"""Shares of one epoch that are told to other relays."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Verify a proof off the loop (`verification.verify_all`); report with `verified`."""

    ticket: Ticket
    raw: bytes
    """301 bytes."""
    frame: ProofFrame
    external_nullifier: bytes


@dataclass(frozen=True, slots=True)
class Convict:
    """A member used an id twice: sign a record of the evidence, and send it to the registry."""

    evidence: Evidence
    commitment: bytes
    """Of the member, recovered."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the other relays which shares this one saw in an epoch that is over."""

    epoch: int
    shares: Sequence[Sighting]


Effect = Verify | Convict | Report | Answer | Refuse


class ProofGuard:
    """The machine. `check` is answered with None."""

    def __init__(self, application: Application, epochs: Epochs) -> None:
        self._application = application
        self._epochs = epochs
        self._roots: tuple[bytes, ...] = ()
        self._capacities: deque[tuple[int, int]] = deque()
        """From which epoch on all members had how many ids, oldest first. The most counts: who has
        left may have spent theirs before."""
        self._log = NullifierLog()
        self._verifying: dict[Ticket, ProofFrame] = {}
        self._reported_to: int | None = None
        """The last epoch that was reported."""
        self.accepted = 0
        self.dropped: Counter[str] = Counter()
        """By reason."""

    @property
    def noted(self) -> int:
        """How many nullifiers are remembered."""
        return len(self._log)

    def members_changed(self, roots: Sequence[bytes], ids: int, now_ms: int) -> list[Effect]:
        """Takes the window of accepted roots, and how many message ids all members have."""
        self._roots = tuple(roots)
        epoch = self._epochs.at(now_ms)
        if self._capacities and self._capacities[-1][0] == epoch:
            ids = max(ids, self._capacities.pop()[1])
        self._capacities.append((epoch, ids))
        return self.tick(now_ms)

    def check(self, ticket: Ticket, raw: bytes, signal: bytes, now_ms: int) -> list[Effect]:
        """Checks the proof of a packet. Untrusted.

        Args:
            ticket: Of the question.
            raw: The proof as it travels.
            signal: The packet that it is bound to, all of it.
            now_ms: Unix time.
        """
        effects = self.tick(now_ms)
        try:
            effects.append(self._begin(ticket, raw, signal, now_ms))
        except LogosError as error:
            effects.append(self._drop(ticket, error))
        return effects

    def verified(self, ticket: Ticket, error: LogosError | None, now_ms: int) -> list[Effect]:
        """Takes the verifier's word; None: the proof holds."""
        effects = self.tick(now_ms)
        frame = self._verifying.pop(ticket)
        if error is not None:
            return [*effects, self._drop(ticket, error)]
        seen = _sighting(frame)
        sight = self._log.look(seen)
        if sight is Sight.SECOND:
            effects += self._convict(seen)
        try:
            self._check_epoch(frame, now_ms)  # it may have ended meanwhile
            _check_sight(sight)
            self._log.note(seen, max((ids for _, ids in self._capacities), default=0))
        except LogosError as refusal:
            return [*effects, self._drop(ticket, refusal)]
        self.accepted += 1
        return [*effects, Answer(ticket)]

    def heard(self, shares: Sequence[Sighting], now_ms: int) -> list[Effect]:
        """Compares what another relay says it saw. Untrusted: none of it is noted."""
        effects = self.tick(now_ms)
        for seen in shares[:MAX_REPORTED]:
            if self._log.look(seen) is Sight.SECOND:
                effects += self._convict(seen)
        return effects

    def told(self, shares: Sequence[Told], now_ms: int) -> list[Effect]:
        """Takes what another relay tells: of nullifiers that are not known nothing is learnt."""
        known = [(self._log.epoch_of(each.nullifier), each) for each in shares]
        seen = [Sighting(epoch, *each) for epoch, each in known if epoch is not None]
        return self.heard(seen, now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Forgets the epochs that are too far, and reports those that are over."""
        epoch = self._epochs.at(now_ms)
        gap = self._epochs.max_gap
        reports = self._reports(epoch)
        self._log.keep(epoch - gap, epoch + gap)
        while len(self._capacities) > 1 and self._capacities[1][0] < epoch - gap:
            self._capacities.popleft()
        return reports

    def next_wake_ms(self) -> int | None:
        """Returns when the epoch ends of which something is to be reported."""
        if self._reported_to is None or not self._log:
            return None
        return self._epochs.start_ms(self._reported_to + 2)

    def _begin(self, ticket: Ticket, raw: bytes, signal: bytes, now_ms: int) -> Verify:
        frame = ProofFrame.decode(raw)
        self._check_epoch(frame, now_ms)
        if frame.root not in self._roots:
            raise RootUnknownError("the proof's root is not in the window")
        if frame.share_x != rln.signal_x(signal):
            raise SignalError("the proof is for another packet")
        sight = self._log.look(_sighting(frame))
        if sight is not Sight.SECOND:  # a second message convicts only once it is proven
            _check_sight(sight)
        if len(self._verifying) >= MAX_VERIFYING:
            raise VerifierBusyError(f"{MAX_VERIFYING} proofs are being verified")
        self._verifying[ticket] = frame
        return Verify(ticket, raw, frame, self._application.external_nullifier(frame.epoch))

    def _check_epoch(self, frame: ProofFrame, now_ms: int) -> None:
        if not self._epochs.is_near(frame.epoch, now_ms):
            raise EpochTooFarError(f"epoch {frame.epoch} is not accepted now")

    def _convict(self, seen: Sighting) -> list[Effect]:
        noted = self._log.point(seen)
        if noted is None:
            return []
        external_nullifier = self._application.external_nullifier(seen.epoch)
        evidence = Evidence.of(seen, noted, external_nullifier)
        try:
            commitment = evidence.identity().commitment
        except EvidenceError:
            return []  # what others told of it fits no line
        self._log.convict(seen)
        return [Convict(evidence, commitment)]

    def _reports(self, epoch: int) -> list[Effect]:
        last, gap = epoch - 1, self._epochs.max_gap
        reported_to = self._reported_to
        if reported_to is None or last < reported_to - gap:  # the clock was set back
            self._reported_to = last
            return []
        self._reported_to = max(last, reported_to)
        reports: list[Effect] = []
        for each in range(max(reported_to + 1, epoch - gap), epoch):
            shares = tuple(islice(self._log.of_epoch(each), MAX_REPORTED))
            if shares:
                reports.append(Report(each, shares))
        return reports

    def _drop(self, ticket: Ticket, error: LogosError) -> Refuse:
        self.dropped[error.reason] += 1
        return Refuse(ticket, error)


def _sighting(frame: ProofFrame) -> Sighting:
    return Sighting(frame.epoch, frame.nullifier, Point(frame.share_x, frame.share_y))


def _check_sight(sight: Sight) -> None:
    if sight is Sight.AGAIN:
        raise ProofRepeatedError("this message was seen before")
    if sight is not Sight.NEW:
        raise MessageIdReusedError("a message id was used for two messages")
