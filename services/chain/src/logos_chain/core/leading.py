"""Leads: finds the slots that this node wins, and has a block made for each: a machine
(`logos_base.machine`).

A proof of leadership is bound to its block's parent, so it is begun shortly before the slot, on the
tip of then, and anew when the tip moves. One slot is worked on at a time: where two follow each
other, the second block's parent is the first one. The machine holds no secrets, makes no proofs and
signs nothing.

The time of its inputs is the wall clock, in Unix milliseconds.

Spec: docs/protocol/chain-leading.md, LEA-1 to LEA-13. Source: LIP-92, leader election.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from itertools import count
from typing import Final

from logos_chain.core.consensus.epochs import EpochState, epoch_at
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.winning import Part, Winning

MAX_PROVE_MS: Final = 60_000
"""A longer measured time counts as this."""
_MEASURED: Final = 8
"""The longest of so many last proofs is how long the next one takes (LEA-5)."""
_MAX_DONE: Final = 4096
"""Slots that are remembered as proposed in; the durable notes have all (LEA-8)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a proof is begun and given up."""

    prove_ms: int = 1_500
    """How long a proof takes, until one was measured."""
    margin_ms: int = 500
    """For all else between its beginning and the slot."""
    late_ms: int = 3_000
    """So long after its slot began, a block is still proposed."""

    def __post_init__(self) -> None:
        if min(self.prove_ms, self.margin_ms, self.late_ms) < 0:
            raise ValueError("times are not negative")


class Miss(StrEnum):
    """Why a slot that was won has no block of this node."""

    SWITCHED_OFF = "SWITCHED_OFF"
    NOT_ONLINE = "NOT_ONLINE"
    TOO_LATE = "TOO_LATE"
    """The proof, or the time to begin it, came too late."""
    NOTE_SPENT = "NOTE_SPENT"
    EPOCH_CHANGED = "EPOCH_CHANGED"
    """The tip moved to a chain on which the slot is not won."""
    PARENT_GONE = "PARENT_GONE"
    """The proof's parent left the chain, and there was no time for another proof."""
    PROOF_FAILED = "PROOF_FAILED"
    ALREADY_PROPOSED = "ALREADY_PROPOSED"
    """A block of this slot and note was signed before, maybe by a process that was killed."""
    NOT_STORED = "NOT_STORED"
    """The disk did not take what must be durable before the signature."""
    NO_VOUCHER = "NO_VOUCHER"
    """The wallet has issued none."""
    REFUSED = "REFUSED"
    """This node does not take its own block."""


class Idle(StrEnum):
    """Why a node does not lead at all now."""

    SWITCHED_OFF = "SWITCHED_OFF"
    NOT_ONLINE = "NOT_ONLINE"
    STARTING = "STARTING"
    """The wallet's notes were not looked at yet."""
    NO_NOTES = "NO_NOTES"
    TOO_YOUNG = "TOO_YOUNG"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a node leads, for people (LEA-13)."""

    idle: Idle | None
    """None: it does."""
    from_slot: int | None = None
    """With TOO_YOUNG: when its first note takes part."""

    def __str__(self) -> str:
        return _SENTENCES[self.idle].format(self.from_slot)


_SENTENCES: Final[Mapping[Idle | None, str]] = {
    None: "it leads",
    Idle.SWITCHED_OFF: "switched off",
    Idle.NOT_ONLINE: "not online yet",
    Idle.STARTING: "the wallet's notes are being looked at",
    Idle.NO_NOTES: "the wallet has no note that may lead",
    Idle.TOO_YOUNG: "no note is old enough: from slot {} on",
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """A block that this node has proposed."""

    slot: int
    block: BlockId
    parent: BlockId
    is_on_tip: bool
    """False: the tip had moved, and there was no time for another proof."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A slot that was won and has no block of this node."""

    slot: int
    miss: Miss


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of slots, since the start (LEA-12). One that is worked on is only won."""

    won: int = 0
    proposed: int = 0
    on_tip: int = 0
    """Of the proposed, those whose parent was the tip."""
    too_late: int = 0
    missed: int = 0
    """For any reason, `too_late` included."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the wallet's notes at the tip; report `looked`. One at a time."""

    roots: tuple[bytes, ...]
    """Aged roots of the present epoch and of the next one, 32 bytes each."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The wallet's notes that may lead."""

    unspent: Mapping[bytes, int] = field(default_factory=dict)
    """Values by id."""
    aged: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)
    """By aged root: those whose path to it is there."""


@dataclass(frozen=True, slots=True)
class Search:
    """Find the slots of a part that its note wins; report `found`. One at a time."""

    part: Part


@dataclass(frozen=True, slots=True)
class Prove:
    """Begin a proof; report `proved` or `unproved`, unless it is cancelled. One at a time."""

    attempt: int
    """Never used again."""
    parent: BlockId
    slot: int
    note: bytes
    epoch: EpochState
    """Of the slot, on the parent's chain."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a proof, or forget what it has made."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Propose:
    """Make the block of a proof that was made; report `proposed` or `unproposed`."""

    attempt: int
    is_on_tip: bool


Effect = Look | Search | Prove | Cancel | Propose


class _Stage(Enum):
    PROVING = auto()
    STALLED = auto()
    """The ledger stands at another tip, which is about to be told here."""
    LOST = auto()
    """It was told since, and it may be that the tip came back to the same parent."""
    READY = auto()
    PROPOSING = auto()


@dataclass(slots=True)
class _Attempt:
    number: int
    slot: int
    note: bytes
    epoch: EpochState
    parent: TreeBlock
    stage: _Stage = _Stage.PROVING
    is_on_tip: bool = True
    kept_at: BlockId | None = None
    """A newer tip, for which there was no time: a quicker proof since then changes nothing."""


class Leading:
    """The leader of one node. Not thread-safe."""

    def __init__(
        self,
        parameters: Parameters,
        clock: SlotClock,
        is_on_chain: Callable[[BlockId], bool],
        *,
        timing: Timing | None = None,
        done: Iterable[int] = (),
    ) -> None:
        """Begins switched on, and not online.

        Args:
            parameters: Of the network.
            clock: Of the network.
            is_on_chain: Whether a block is of the local chain at present.
            timing: Of this machine.
            done: Slots that blocks were signed for before (LEA-8).
        """
        self._parameters = parameters
        self._clock = clock
        self._is_on_chain = is_on_chain
        self._timing = timing or Timing()
        self._took: deque[int] = deque(maxlen=_MEASURED)
        self._done: dict[int, None] = dict.fromkeys(done)
        self._is_on = True
        self._may_propose = False
        self._tip: TreeBlock | None = None
        self._states: tuple[EpochState, ...] = ()
        """Of the present epoch and of the next one."""
        self._epochs: dict[int, Winning] = {}
        self._edge_ms: int | None = None
        """When the present epoch ends, or its observed part."""
        self._revision = 0
        self._looking = False
        self._looked: tuple[object, ...] | None = None
        self._seen: Seen | None = None
        self._part: Part | None = None
        self._numbers = count(1)
        self._attempt: _Attempt | None = None
        self.counts = Counts()
        self.last_proposed: Proposed | None = None
        self.last_missed: Missed | None = None

    # -- what there is -------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether the node may propose, as far as it and its operator are concerned (LEA-1)."""
        return self._is_on and self._may_propose

    @property
    def lead_ms(self) -> int:
        """How long before its slot a proof is begun (LEA-5)."""
        return self._prove_ms + self._timing.margin_ms

    @property
    def next_win(self) -> int | None:
        """The earliest slot that was found and is yet to be worked on."""
        found = [each.first for each in self._epochs.values() if each.first is not None]
        return min(found, default=None)

    def standing(self, now_ms: int) -> Standing:
        """Returns whether the node leads, and if not, why (LEA-13)."""
        if not self._is_on:
            return Standing(Idle.SWITCHED_OFF)
        if not self._may_propose:
            return Standing(Idle.NOT_ONLINE)
        if self._seen is None or not self._states:
            return Standing(Idle.STARTING)
        if not self._seen.unspent:
            return Standing(Idle.NO_NOTES)
        present, upcoming = self._states
        if self._eligible(present):
            return Standing(None)
        later = 1 if self._eligible(upcoming) else 2
        now_epoch = max(present.epoch, self._parameters.epoch_of(self._clock.slot_at(now_ms)))
        return Standing(Idle.TOO_YOUNG, self._parameters.epoch_begins(now_epoch + later))

    # -- inputs --------------------------------------------------------------------------------

    def switched_on(self, now_ms: int) -> list[Effect]:
        """The operator lets it lead, as at the beginning."""
        self._is_on = True
        return self._advance(now_ms)

    def switched_off(self, now_ms: int) -> list[Effect]:
        """The operator lets it lead no longer."""
        self._is_on = False
        return self._advance(now_ms)

    def went_online(self, now_ms: int) -> list[Effect]:
        """`Starting.may_propose` holds."""
        self._may_propose = True
        return self._advance(now_ms)

    def went_offline(self, now_ms: int) -> list[Effect]:
        """`Starting.may_propose` holds no longer, as at the beginning."""
        self._may_propose = False
        return self._advance(now_ms)

    def moved(self, tip: TreeBlock, now_ms: int) -> list[Effect]:
        """The local chain has this tip."""
        self._tip = tip
        attempt = self._attempt
        if attempt is not None and attempt.stage is _Stage.STALLED:
            attempt.stage = _Stage.LOST
        return self._advance(now_ms)

    def notes_changed(self, now_ms: int) -> list[Effect]:
        """The wallet has other notes than before, by itself and not by a block."""
        self._revision += 1
        return self._advance(now_ms)

    def looked(self, seen: Seen, now_ms: int) -> list[Effect]:
        """The outcome of `Look`."""
        self._looking = False
        if self.is_active:
            self._seen = seen
            for each in self._epochs.values():
                each.enter(self._eligible(each.epoch), self._clock.slot_at(now_ms))
        return self._advance(now_ms)

    def found(self, part: Part, slots: Iterable[int], now_ms: int) -> list[Effect]:
        """The outcome of `Search`: the slots of the part that are won."""
        self._part = None
        winning = self._epochs.get(part.epoch.epoch)
        if winning is not None:
            winning.found(part, slots)
        return self._advance(now_ms)

    def proved(self, number: int, took_ms: int, now_ms: int) -> list[Effect]:
        """A proof was made.

        Args:
            number: Its attempt.
            took_ms: By a clock that is not set.
            now_ms: The time.
        """
        attempt = self._attempt
        self._took.append(min(max(took_ms, 0), MAX_PROVE_MS))
        if attempt is not None and attempt.number == number:
            attempt.stage = _Stage.READY
        return self._advance(now_ms)

    def unproved(self, number: int, miss: Miss | None, now_ms: int) -> list[Effect]:
        """A proof was not made. None: its parent is the tip no longer, which is told soon."""
        attempt = self._attempt
        if attempt is not None and attempt.number == number:
            if miss is None:
                attempt.stage = _Stage.STALLED
            else:
                self._miss(attempt.slot, miss)
        return self._advance(now_ms)

    def proposed(self, number: int, block: BlockId, now_ms: int) -> list[Effect]:
        """A block was signed, and this node has taken it."""
        attempt = self._attempt
        if attempt is not None and attempt.number == number:
            on_tip = attempt.is_on_tip
            self._attempt = None
            self.last_proposed = Proposed(attempt.slot, block, attempt.parent.id, on_tip)
            self.counts = replace(
                self.counts,
                proposed=self.counts.proposed + 1,
                on_tip=self.counts.on_tip + on_tip,
            )
        return self._advance(now_ms)

    def unproposed(self, number: int, miss: Miss, now_ms: int) -> list[Effect]:
        """No block was proposed after all."""
        attempt = self._attempt
        if attempt is not None and attempt.number == number:
            self._miss(attempt.slot, miss)
        return self._advance(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Begins proofs, proposes, and gives up what is too late."""
        return self._advance(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        if not self.is_active or self._tip is None:
            return None
        times = [] if self._edge_ms is None else [self._edge_ms]
        attempt, win = self._attempt, self.next_win
        if attempt is None:
            if win is not None:
                times.append(self._clock.begins_ms(win) - self.lead_ms)
        elif attempt.stage is _Stage.READY:
            times.append(self._clock.begins_ms(attempt.slot))
        elif attempt.stage is not _Stage.PROPOSING:
            times.append(self._deadline_ms(attempt.slot) + 1)
        return min(times, default=None)

    # -- what is due ---------------------------------------------------------------------------

    @property
    def _prove_ms(self) -> int:
        return max(self._took, default=self._timing.prove_ms)

    def _deadline_ms(self, slot: int) -> int:
        return self._clock.begins_ms(slot) + self._timing.late_ms

    def _has_time(self, slot: int, now_ms: int) -> bool:
        """Whether a proof that begins now is made in time."""
        return now_ms + self._prove_ms <= self._deadline_ms(slot)

    def _eligible(self, epoch: EpochState) -> list[bytes]:
        """Returns the unspent notes that take part in an epoch."""
        if self._seen is None:
            return []
        aged = self._seen.aged.get(epoch.aged_root, frozenset())
        return [each for each in self._seen.unspent if each in aged]

    def _advance(self, now_ms: int) -> list[Effect]:
        tip = self._tip
        if not self.is_active or tip is None:
            return self._rest()
        # A clock that was set back does not lead to epochs before the tip's.
        slot = max(self._clock.slot_at(now_ms), tip.slot)
        self._see_epochs(tip, slot)
        effects = self._look(tip)
        while (step := self._step(tip, now_ms)) is not None:
            effects += step
        return effects + self._search(slot)

    def _rest(self) -> list[Effect]:
        """Forgets all but what cannot be stopped."""
        effects: list[Effect] = []
        attempt = self._attempt
        if attempt is not None and attempt.stage is not _Stage.PROPOSING:
            effects.append(Cancel(attempt.number))
            self._miss(attempt.slot, Miss.NOT_ONLINE if self._is_on else Miss.SWITCHED_OFF)
        self._epochs, self._states, self._edge_ms = {}, (), None
        self._seen = self._looked = None
        return effects

    def _see_epochs(self, tip: TreeBlock, slot: int) -> None:
        parameters = self._parameters
        epoch = parameters.epoch_of(slot)
        begins, ends = parameters.epoch_begins(epoch), parameters.epoch_begins(epoch + 1)
        fixed = begins + parameters.observed_slots
        present = epoch_at(parameters, tip.state, slot)
        upcoming = epoch_at(parameters, tip.state, ends)
        self._states = (present, upcoming)
        self._edge_ms = self._clock.begins_ms(fixed if slot < fixed else ends)
        wanted = (present,) if slot < fixed else (present, upcoming)
        before, self._epochs = self._epochs, {}
        for each in wanted:
            winning = before.get(each.epoch)
            if winning is None or winning.epoch != each:
                first, end = map(parameters.epoch_begins, (each.epoch, each.epoch + 1))
                winning = Winning(each, first, end)
                winning.enter(self._eligible(each), slot)
            self._epochs[each.epoch] = winning

    def _look(self, tip: TreeBlock) -> list[Effect]:
        roots = tuple([each.aged_root for each in self._states])
        wanted = (tip.id, roots, self._revision)
        if self._looking or self._looked == wanted:
            return []
        self._looking, self._looked = True, wanted
        return [Look(roots)]

    def _search(self, slot: int) -> list[Effect]:
        if self._part is None:
            parts = (each.next_part(slot) for each in self._epochs.values())
            self._part = next((each for each in parts if each is not None), None)
            if self._part is not None:
                return [Search(self._part)]
        return []

    def _step(self, tip: TreeBlock, now_ms: int) -> list[Effect] | None:
        """Does one thing that is due; None: nothing is."""
        attempt = self._attempt
        if attempt is None:
            return self._begin(tip, now_ms)
        if attempt.stage is _Stage.PROPOSING:
            return None
        miss, is_on_tip = self._obstacle(attempt, tip, now_ms), tip.id == attempt.parent.id
        if miss is not None:
            return self._give_up(attempt, miss)
        if self._is_renewable(attempt, tip, now_ms):
            return [Cancel(attempt.number), self._prove(attempt, tip)]
        if attempt.stage is _Stage.READY and now_ms >= self._clock.begins_ms(attempt.slot):
            attempt.stage, attempt.is_on_tip = _Stage.PROPOSING, is_on_tip
            self._remember(attempt.slot)
            return [Propose(attempt.number, is_on_tip)]
        return None

    def _obstacle(self, attempt: _Attempt, tip: TreeBlock, now_ms: int) -> Miss | None:
        """Returns what makes an attempt hopeless."""
        slot, parent = attempt.slot, attempt.parent
        if now_ms > self._deadline_ms(slot):
            return Miss.TOO_LATE
        if tip.slot < slot and epoch_at(self._parameters, tip.state, slot) != attempt.epoch:
            return Miss.EPOCH_CHANGED
        if self._is_renewable(attempt, tip, now_ms) or tip.id == parent.id:
            return None
        return None if self._is_on_chain(parent.id) else Miss.PARENT_GONE

    def _is_renewable(self, attempt: _Attempt, tip: TreeBlock, now_ms: int) -> bool:
        """Whether the block could follow a newer tip, and there is time to prove that."""
        is_same = tip.id == attempt.parent.id and attempt.stage is not _Stage.LOST
        if is_same or tip.id == attempt.kept_at or tip.slot >= attempt.slot:
            return False
        if not self._has_time(attempt.slot, now_ms):
            attempt.kept_at = tip.id
            return False
        return True

    def _begin(self, tip: TreeBlock, now_ms: int) -> list[Effect] | None:
        """Takes up the next slot that is won, if its time has come."""
        slot = self.next_win
        if slot is None or now_ms < self._clock.begins_ms(slot) - self.lead_ms:
            return None
        winning = self._epochs[self._parameters.epoch_of(slot)]
        _, notes = winning.take()
        if slot in self._done:
            return []
        self.counts = replace(self.counts, won=self.counts.won + 1)
        unspent = self._seen.unspent if self._seen is not None else {}
        able = [each for each in notes if each in unspent]
        if not able:
            self._miss(slot, Miss.NOTE_SPENT)
        elif tip.slot >= slot or not self._has_time(slot, now_ms):
            self._miss(slot, Miss.TOO_LATE)
        else:
            note = max(able, key=lambda each: (unspent[each], each))
            attempt = _Attempt(0, slot, note, winning.epoch, tip)
            return [self._prove(attempt, tip)]
        return []

    def _prove(self, attempt: _Attempt, parent: TreeBlock) -> Prove:
        number = next(self._numbers)
        self._attempt = replace(attempt, number=number, parent=parent, stage=_Stage.PROVING)
        return Prove(number, parent.id, attempt.slot, attempt.note, attempt.epoch)

    def _give_up(self, attempt: _Attempt, miss: Miss) -> list[Effect]:
        if miss is Miss.TOO_LATE and attempt.stage is _Stage.PROVING:
            # It is stopped and never measured; the next one is begun earlier.
            self._took.append(min(2 * self._prove_ms, MAX_PROVE_MS))
        self._miss(attempt.slot, miss)
        return [Cancel(attempt.number)]

    def _miss(self, slot: int, miss: Miss) -> None:
        self._attempt = None
        self.last_missed = Missed(slot, miss)
        self.counts = replace(
            self.counts,
            missed=self.counts.missed + 1,
            too_late=self.counts.too_late + (miss is Miss.TOO_LATE),
        )

    def _remember(self, slot: int) -> None:
        self._done[slot] = None
        while len(self._done) > _MAX_DONE:
            del self._done[next(iter(self._done))]
