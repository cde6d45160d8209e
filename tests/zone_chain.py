"""A chain with forks that knows one channel, by rules written a second time: the oracle."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from logos_mantle.channels import ChannelConfig, ChannelInscribe, message_id
from logos_zone_sdk.core.messages import ChainBlock, ChainMove, ChannelMessage, Point
from logos_zone_sdk.core.turns import ChannelView

CHANNEL = b"\x07" * 32
ZERO = bytes(32)
Message = ChannelInscribe | ChannelConfig


def key_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@dataclass(frozen=True)
class State:
    """The channel after a block; no keys if it does not exist."""

    keys: tuple[bytes, ...] = ()
    tip: bytes = ZERO
    tip_slot: int = 0
    sequencer: int = 0
    since: int = 0
    timeframe: int = 0
    timeout: int = 0

    def turn(self, slot: int) -> tuple[int, int]:
        """Whose turn it is, found slot by slot (LED-14)."""
        if self.timeout and slot - self.tip_slot >= self.timeout:
            begin, length = self.tip_slot, self.timeout
        elif self.timeframe:
            begin, length = self.since, self.timeframe
        else:
            return self.sequencer, self.since
        place, since = self.sequencer, begin
        while since + length <= slot:
            place, since = (place + 1) % len(self.keys), since + length
        return place, since

    def after(self, message: Message, slot: int) -> "State | None":
        """The channel after a message; None: it is not taken."""
        if isinstance(message, ChannelConfig):
            fresh = State(message.keys, message_id(message), slot, 0, slot)
            return replace(
                fresh,
                timeframe=message.posting_timeframe_slots,
                timeout=message.posting_timeout_slots,
            )
        before = self if self.keys else State((message.signer,), ZERO, slot, 0, slot)
        place, since = before.turn(slot)
        if before.keys[place] != message.signer or before.tip != message.parent:
            return None
        return replace(before, tip=message_id(message), tip_slot=slot, sequencer=place, since=since)


@dataclass(frozen=True)
class Block:
    point: Point
    parent: "Block | None"
    messages: tuple[Message, ...]
    state: State
    configurations: frozenset[bytes] = frozenset()

    def path(self) -> list["Block"]:
        """From the genesis to this one."""
        found, at = [], self
        while at is not None:
            found.append(at)
            at = at.parent
        return found[::-1]

    def payloads(self) -> list[tuple[bytes, bytes]]:
        """Signers and payloads of all inscriptions up to here."""
        return [
            (each.signer, each.inscription)
            for block in self.path()
            for each in block.messages
            if isinstance(each, ChannelInscribe)
        ]

    def told(self) -> ChainBlock:
        assert self.parent is not None
        messages = tuple(ChannelMessage(message_id(m), m, self.point) for m in self.messages)
        return ChainBlock(self.point, self.parent.point.id, len(messages), messages)


@dataclass
class Chain:
    """Blocks, a mempool that forgets nothing, and the rule that `depth` blocks make one final."""

    depth: int = 4
    start: State = State()
    mempool: dict[bytes, Message] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        self.genesis = Block(Point(key_of("genesis"), 0, 0), None, (), self.start)
        self.tip = self.final = self.genesis
        self.blocks = {self.genesis.point.id: self.genesis}

    def submit(self, message: Message) -> None:
        self.mempool[message_id(message)] = message

    def extend(
        self, below: Block, wanted: Callable[[Message], bool] = lambda _: True, slots: int = 1
    ) -> Block:
        """Makes a block of all messages that are wanted and that the channel takes."""
        slot, state, taken = below.point.slot + slots, below.state, list[Message]()
        configurations = set(below.configurations)
        waiting = [each for each in self.mempool.values() if wanted(each)]
        goes_on = True
        while goes_on:
            goes_on = False
            for each in waiting:
                is_config = isinstance(each, ChannelConfig)
                if is_config and message_id(each) in configurations:
                    continue
                after = state.after(each, slot)
                if after is not None:
                    state, goes_on = after, True
                    taken.append(each)
                    configurations |= {message_id(each)} if is_config else set()
        self.made += 1
        point = Point(key_of(f"block {self.made}"), below.point.height + 1, slot)
        block = Block(point, below, tuple(taken), state, frozenset(configurations))
        self.blocks[point.id] = block
        return block

    def adopt(self, tip: Block) -> None:
        """Makes another block the tip; what is below the final one stays."""
        path = tip.path()
        assert self.final in path
        self.tip = tip
        if tip.point.height - self.depth > self.final.point.height:
            self.final = path[tip.point.height - self.depth]

    def grow(
        self, count: int = 1, wanted: Callable[[Message], bool] = lambda _: True, slots: int = 1
    ) -> None:
        for _ in range(count):
            self.adopt(self.extend(self.tip, wanted, slots))

    def reorganise(
        self,
        depth: int,
        wanted: Callable[[Message], bool] = lambda _: True,
        slots: int = 1,
    ) -> None:
        """Replaces the last blocks by as many and one more; never a final one."""
        at = self.tip
        for _ in range(min(depth, at.point.height - self.final.point.height)):
            assert at.parent is not None
            at = at.parent
        count = self.tip.point.height - at.point.height + 1
        for _ in range(count):
            at = self.extend(at, wanted, slots)
        self.adopt(at)

    def moves(self, place: bytes, most: int = 3) -> Iterable[ChainMove]:
        """How a node tells of the chain from a block on (FOL-21)."""
        at, removed, path = self.blocks[place], list[bytes](), self.tip.path()
        while at not in path:
            removed.append(at.point.id)
            assert at.parent is not None
            at = at.parent
        ahead = path[path.index(at) + 1 :]
        chunks = [ahead[i : i + most] for i in range(0, len(ahead), most)] or [[]]
        if len(chunks[-1]) == most:
            chunks.append([])
        for place_, chunk in enumerate(chunks):
            yield ChainMove(
                tuple(removed),
                tuple(each.told() for each in chunk),
                self.final.point,
                has_more=place_ < len(chunks) - 1,
            )
            removed = []

    def view(self) -> ChannelView | None:
        state = self.tip.state
        if not state.keys:
            return None
        return ChannelView(
            state.keys,
            state.tip,
            state.tip_slot,
            state.sequencer,
            state.since,
            state.timeframe,
            state.timeout,
            self.tip.point.id,
        )


def configured(*keys: bytes, timeframe: int = 0, timeout: int = 0) -> State:
    """A channel of several sequencers, as a configuration has left it."""
    config = ChannelConfig(CHANNEL, keys, timeframe, timeout, 1, 1)
    return State(keys, message_id(config), 0, 0, 0, timeframe, timeout)
