"""Sequencers' machines beside the oracle's chain: what a shell would do with their effects."""

import itertools
from dataclasses import dataclass, field

from logos_base.machine import Answer, Refuse, Ticket
from logos_zone_sdk.core.events import (
    Finalized,
    LookAtChannel,
    Published,
    Submit,
    ZoneEvent,
)
from logos_zone_sdk.core.places import Checkpoint
from logos_zone_sdk.core.sequencing import Effects, SequencerMachine
from logos_zone_sdk.core.turns import SlotClock
from zone_chain import CHANNEL, Chain

SLOT_MS = 1000
CLOCK = SlotClock(0, SLOT_MS)
TICKETS = map(Ticket, itertools.count(1))


@dataclass
class World:
    """A chain, the time, and what the way to the node is like."""

    chain: Chain
    now_ms: int = 0
    weather: str = "taken"
    """What becomes of what is submitted: `taken`, `refused`, or `lost` after it was taken."""

    def catch_up_time(self) -> None:
        self.now_ms = max(self.now_ms, self.chain.tip.point.slot * SLOT_MS)


@dataclass
class Runner:
    """One sequencer, its disk, and all that it has said."""

    world: World
    key: bytes
    events: list[ZoneEvent] = field(default_factory=list)
    submitted: list[Submit] = field(default_factory=list)
    disk: list[bytes] = field(default_factory=list)
    """Checkpoints since the last payload was taken: it may go on from any of these."""

    def __post_init__(self) -> None:
        final = self.world.chain.final.point
        self.begin(Checkpoint(CHANNEL, self.key, final, None, 0, ()))

    def begin(self, checkpoint: Checkpoint) -> None:
        self.machine = SequencerMachine(checkpoint, CLOCK)
        self.keep(checkpoint, is_new=True)
        self.is_connected = False

    def keep(self, checkpoint: Checkpoint, *, is_new: bool) -> None:
        raw = checkpoint.encode()
        assert Checkpoint.decode(raw) == checkpoint
        self.disk = [raw] if is_new else [*self.disk, raw]

    def restart(self, back: int = 0) -> None:
        """Goes on from one of the checkpoints, the last one by default."""
        raw = self.disk[-1 - back % len(self.disk)]
        self.machine = SequencerMachine(Checkpoint.decode(raw), CLOCK)
        self.is_connected = False

    def publish(self, payload: bytes) -> int:
        effects = self.machine.publish(next(TICKETS), payload, self.world.now_ms)
        (number,) = [each.value for each in effects if isinstance(each, Answer)]
        self.perform(effects)
        assert isinstance(number, int)
        return number

    def hear(self, most: int = 3, moves: int | None = None) -> None:
        """Hears of the chain: all of it, or so many moves."""
        if not self.is_connected:
            self.is_connected = True
            self.perform(self.machine.connected(self.world.now_ms))
        told = list(self.world.chain.moves(self.machine.place, most))
        for move in told[:moves]:
            self.perform(self.machine.moved(move, self.world.now_ms))
        self.wake()

    def disconnect(self, *, is_rewound: bool = False) -> None:
        self.perform(self.machine.disconnected(self.world.now_ms))
        self.is_connected = False
        if is_rewound:
            self.perform(self.machine.rewound(self.world.now_ms))

    def wake(self) -> None:
        """Does what is due by now."""
        for _ in range(100):
            wake_ms = self.machine.next_wake_ms()
            if wake_ms is None or wake_ms > self.world.now_ms:
                return
            self.perform(self.machine.tick(self.world.now_ms))
        raise AssertionError("it wakes without end")

    def perform(self, effects: Effects) -> None:
        for each in effects:
            match each:
                case Answer() | Refuse():
                    continue
                case LookAtChannel():
                    view, now_ms = self.world.chain.view(), self.world.now_ms
                    self.perform(self.machine.channel_seen(view, now_ms))
                case Submit():
                    self.submitted.append(each)
                    self.perform(self._outcome(each))
                case Published() | Finalized():
                    self.keep(each.checkpoint, is_new=isinstance(each, Published))
                    self.events.append(each)
                case _:
                    self.events.append(each)

    def _outcome(self, each: Submit) -> Effects:
        world = self.world
        if world.weather == "refused":
            return self.machine.not_submitted(each.message, "REFUSED", world.now_ms)
        if world.weather == "taken":
            world.chain.submit(each.operation)
        return self.machine.submitted(each.message, world.now_ms)

    def said(self, kind: type) -> list:
        return [each for each in self.events if isinstance(each, kind)]
