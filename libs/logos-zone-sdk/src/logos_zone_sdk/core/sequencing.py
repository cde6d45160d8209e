"""A zone's sequencer: payloads become messages of a channel, each once and in order.

A message names its parent, and is taken only where its parent is the channel's tip. So what is on
a channel is one path through a tree of messages. A payload becomes another message only where the
path that it is put on has none of its earlier ones; it can then never be on one chain twice,
over any number of reorganisations, also with old transactions still in some mempool. Configurations
name no parent, and could join two branches: nothing is put on one that is not final.

Spec: docs/protocol/zone-sdk.md, ZON-2 to ZON-13.
"""

from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import ChannelReservedError, NotAccreditedError
from logos_zone_sdk.core.events import (
    Adopted,
    Built,
    Finalized,
    FinalMessage,
    Included,
    LookAtChannel,
    NotTaken,
    Orphaned,
    Published,
    Ready,
    Submit,
    Taken,
    ZoneEffect,
)
from logos_zone_sdk.core.lineage import Lineage
from logos_zone_sdk.core.messages import ChainMove, ChannelMessage
from logos_zone_sdk.core.places import Checkpoint
from logos_zone_sdk.core.queue import Entry, PayloadQueue
from logos_zone_sdk.core.turns import ChannelView, SlotClock, next_turn_slot, turn_at

RESUBMIT_MS: Final = 30_000
"""From when the node has taken a message until it is given again, with no block that has it."""
RETRY_MS: Final = 5_000
"""After a message that the node has not taken."""

Effects = list[ZoneEffect | Answer | Refuse]


@dataclass(frozen=True, slots=True)
class _Held:
    """What is kept of a message."""

    id: bytes
    number: int | None
    """Of the own payload that it is; None: it was adopted."""
    is_configuration: bool = False


class SequencerMachine:
    """One sequencer of one channel."""

    def __init__(self, start: Checkpoint, clock: SlotClock) -> None:
        """Goes on from a checkpoint; raises `ChannelReservedError`.

        Args:
            start: With the newest final block and no message, for a sequencer that is new.
            clock: Of the chain.
        """
        if start.channel == ZERO:
            raise ChannelReservedError("channel zero is the genesis', and takes no message")
        self._channel = start.channel
        self._key = start.key
        self._clock = clock
        self._lineage = Lineage[_Held](start.final)
        self._base_message = start.last_message
        self._queue = PayloadQueue(start.channel, start.key, start.pending)
        self._next_number = start.next_number
        self._ghosts: list[_Held] = []
        self._is_connected = False
        self._has_whole_chain = False
        self._is_looking = False
        self._must_look = False
        self._view: ChannelView | None = None
        self._has_view = False
        self._is_ready = False
        self._submitting: bytes | None = None
        self._retry_ms = 0
        self._turn_ms: int | None = None
        self._is_turn = False

    @property
    def checkpoint(self) -> Checkpoint:
        """All that a restart needs (ZON-12)."""
        return Checkpoint(
            self._channel,
            self._key,
            self._lineage.base,
            self._base_message,
            self._next_number,
            self._queue.pending,
        )

    @property
    def place(self) -> bytes:
        """Id of the last block that was told of: the cursor of `WatchBlocks`."""
        return self._lineage.tip.id

    @property
    def base(self) -> bytes:
        """Id of the newest final block: the cursor if the node does not know `place`."""
        return self._lineage.base.id

    # -- inputs --------------------------------------------------------------------------------

    def publish(self, ticket: Ticket, payload: bytes, now_ms: int) -> Effects:
        """Takes a payload; answers with its number, once the checkpoint with it is kept (ZON-5).

        Raises:
            PayloadTooLongError, QueueFullError, NotAccreditedError
        """
        if self._view is not None and self._key not in self._view.keys:
            raise NotAccreditedError("the key is not among those that may write to the channel")
        self._queue.check(payload)
        number, self._next_number = self._next_number, self._next_number + 1
        self._queue.add(number, payload)
        return [Published(number, self.checkpoint), Answer(ticket, number), *self._go_on(now_ms)]

    def connected(self, now_ms: int) -> Effects:
        """The chain is told from `place` on."""
        self._is_connected, self._has_whole_chain = True, False
        self._is_looking, self._must_look = False, True
        return self._go_on(now_ms)

    def rewound(self, now_ms: int) -> Effects:
        """The node does not know `place`: the chain is told from `base` on, after `connected`."""
        self._has_whole_chain = False
        self._cut(self._lineage.clear())
        return self._go_on(now_ms)

    def disconnected(self, now_ms: int) -> Effects:  # noqa: ARG002 - as all inputs
        """Nothing is told until `connected`."""
        self._is_connected = False
        return []

    def moved(self, move: ChainMove, now_ms: int) -> Effects:
        """The chain has moved (ZON-2).

        Raises:
            ChainBrokenError, ChainUnfinalError: The node is at fault: `rewound` and begin anew.
        """
        effects: Effects = []
        self._lineage.check(move)
        gone = self._lineage.cut(move)
        self._cut(gone)
        has_changed = bool(gone)
        for block in move.added:
            held = tuple([self._arrived(each, effects) for each in block.messages])
            self._lineage.add(block, held)
            has_changed = has_changed or bool(held)
        self._has_whole_chain = not move.has_more
        if self._has_whole_chain:
            self._give_up_ghosts(effects)
        self._settle(move, effects)
        self._must_look = self._must_look or has_changed or self._tip_message() is None
        return effects + self._go_on(now_ms)

    def channel_seen(self, view: ChannelView | None, now_ms: int) -> Effects:
        """The channel's state at the node; None if it does not exist yet."""
        self._is_looking = False
        self._view, self._has_view = view, True
        if self._base_message is None:
            self._find_base_message(view)
        return self._go_on(now_ms)

    def submitted(self, message: bytes, now_ms: int) -> Effects:
        """The node has taken a message, or had it."""
        self._submitting = None
        entry = self._queue.by_message(message)
        told: Effects = []
        if entry is not None:
            if entry.accepted_ms is None:
                told.append(Taken(entry.number, message))
            entry.accepted_ms = now_ms
        return told + self._go_on(now_ms)

    def not_submitted(self, message: bytes, reason: str, now_ms: int) -> Effects:
        """The node has not taken a message; those after it would not be taken either."""
        self._submitting, self._retry_ms = None, now_ms + RETRY_MS
        entry = self._queue.by_message(message)
        told: Effects = [] if entry is None else [NotTaken(entry.number, message, reason)]
        return told + self._go_on(now_ms)

    def tick(self, now_ms: int) -> Effects:
        """Does what is due."""
        return self._go_on(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when a message is to be given again, or it may be this sequencer's turn."""
        waiting = self._queue.waiting
        is_held_up = self._submitting is not None or self._has_unfinal_configuration
        if not waiting or not self._is_writing or is_held_up:
            return None
        if not self._is_turn:
            return self._turn_ms
        return min([self._due_ms(each) for each in waiting])

    # -- the lineage ---------------------------------------------------------------------------

    def _cut(self, gone: list[_Held]) -> None:
        """Takes messages off, newest first. They may come back, so nothing is told yet."""
        for each in gone:
            if each.number is not None:
                self._queue.displace(each.number)
        self._ghosts = gone[::-1] + self._ghosts

    def _arrived(self, message: ChannelMessage, effects: Effects) -> _Held:
        has_moved = bool(self._ghosts) and self._ghosts[0].id == message.id
        if has_moved:  # only to another block
            del self._ghosts[0]
        else:
            self._give_up_ghosts(effects)
        entry = self._queue.find(message)
        if entry is None:
            if not has_moved:
                effects.append(Adopted(message))
            return _Held(message.id, None, message.parent is None)
        self._queue.place(entry, message)
        if entry.told != message.block.id:
            entry.told = message.block.id
            effects.append(Included(entry.number, message.id, message.block))
        return _Held(message.id, entry.number)

    def _give_up_ghosts(self, effects: Effects) -> None:
        """Reports other sequencers' messages that a reorganisation removed; own ones are resent."""
        effects += [Orphaned(each.id) for each in reversed(self._ghosts) if each.number is None]
        self._ghosts = []

    def _settle(self, move: ChainMove, effects: Effects) -> None:
        found = []
        for block in self._lineage.settle(move.final):
            for each in block.held:
                self._base_message = each.id
                if each.number is not None:
                    self._queue.remove(each.number)
                found.append(FinalMessage(each.id, each.number, block.point))
        if found:
            effects.append(Finalized(tuple(found), self.checkpoint))

    def _tip_message(self) -> bytes | None:
        newest = next(self._lineage.held(), None)
        return self._base_message if newest is None else newest.id

    def _find_base_message(self, view: ChannelView | None) -> None:
        """Finds the last final message: where nothing came after it, it is still the tip."""
        if view is None:
            self._base_message = ZERO
        elif self._lineage.held_until(view.block) == []:
            self._base_message = view.tip

    # -- writing -------------------------------------------------------------------------------

    @property
    def _is_writing(self) -> bool:
        """Whether it is known what is on the channel."""
        is_told = self._is_connected and self._has_whole_chain and self._has_view
        return is_told and self._tip_message() is not None

    @property
    def _has_unfinal_configuration(self) -> bool:
        return any(each.is_configuration for each in self._lineage.held())

    def _go_on(self, now_ms: int) -> Effects:
        effects: Effects = []
        if not self._is_connected or not self._has_whole_chain:
            return effects
        if self._must_look and not self._is_looking:
            self._must_look, self._is_looking = False, True
            effects.append(LookAtChannel())
        tip = self._tip_message()
        if self._has_view and tip is not None:
            if not self._is_ready:
                self._is_ready = True
                effects.append(Ready(tip))
            self._take_turn(now_ms)
            if self._is_turn and not self._has_unfinal_configuration:
                self._build(tip, effects)
                self._submit(effects, now_ms)
        return effects

    def _build(self, tip: bytes, effects: Effects) -> None:
        """Has each payload that is on no block be a message after the one before it (ZON-7)."""
        for entry in self._queue.waiting:
            if entry.operation is None or entry.operation.parent != tip:
                before = entry.message or None
                self._queue.build(entry, tip)
                effects.append(Built(entry.number, entry.message, tip, before))
            tip = entry.message

    def _submit(self, effects: Effects, now_ms: int) -> None:
        if self._submitting is not None:
            return
        for entry in self._queue.waiting:
            if self._due_ms(entry) <= now_ms and entry.operation is not None:
                self._submitting = entry.message
                effects.append(Submit(entry.number, entry.message, entry.operation))
                return

    def _due_ms(self, entry: Entry) -> int:
        again = 0 if entry.accepted_ms is None else entry.accepted_ms + RESUBMIT_MS
        return max(again, self._retry_ms)

    def _take_turn(self, now_ms: int) -> None:
        """Finds out whether it is this sequencer's turn, and if not, when to look again (ZON-9)."""
        view, self._turn_ms = self._view, None
        if view is None:
            self._is_turn = True  # the first message creates the channel, with any key
            return
        slot = max(self._clock.slot_at(now_ms), view.tip_slot)
        self._is_turn = view.keys[turn_at(view, slot)] == self._key
        next_slot = next_turn_slot(view, slot)
        if not self._is_turn and next_slot is not None:
            self._turn_ms = self._clock.begins_ms(next_slot)
