"""Downloads blocks from peers: a machine (`logos_base.machine`).

A run follows the tips of all peers it is given (the first download), or has one target (the
ancestors of an orphan) and ends with the first peer that has it. Peers are asked one after another.
Blocks are read one at a time, and the next only when the one before was verified: a peer cannot
send more than this node can take in.

A peer that sends what is not a chain, breaks a rule, stalls, or goes on without bringing anything
new, is ended with a reason; another one is asked.

Spec: docs/protocol/chain-consensus.md, CON-43 to CON-48. Source: LIP-96.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Final, Protocol

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.sync.messages import MAX_ADDITIONAL, DownloadRequest
from logos_chain.core.consensus.types import BlockId

STALL_MS: Final = 10_000
"""CON-45. Without an answer, or a block that was asked for."""
KNOWN_WAIT_MS: Final = 100
"""Between two looks whether a block is here that came another way (CON-44)."""
MAX_BATCH: Final = 4096
"""Blocks in one answer."""
MAX_EMPTY_BATCHES: Final = 2
"""Answers in a row that brought no new block."""
ROUNDS: Final = 3
"""CON-46."""
FIRST_PAUSE_MS: Final = 2_000
"""Before all peers are tried again; doubled each time."""
MAX_PEERS: Final = 64
PROGRESS_BLOCKS: Final = 100


class PeerEnd(StrEnum):
    """Why no more is asked of a peer in this round."""

    DONE = "DONE"
    LOST = "LOST"
    STALLED = "STALLED"
    REFUSED = "REFUSED"
    """It has answered with a failure, or this node cannot take its block now."""
    NOT_A_CHAIN = "NOT_A_CHAIN"
    """A block that does not follow the one before."""
    ENDLESS = "ENDLESS"
    """An answer of too many blocks."""
    NO_PROGRESS = "NO_PROGRESS"
    """Answers without new blocks, and without the target."""
    INVALID_BLOCK = "INVALID_BLOCK"
    BELOW_LIB = "BELOW_LIB"
    """Its chain leaves this node's before the latest immutable block."""

    @property
    def is_fault(self) -> bool:
        """Whether the peer has broken a rule, and should be thought less of."""
        return self in _FAULTS


_FAULTS: Final = frozenset(
    {PeerEnd.NOT_A_CHAIN, PeerEnd.ENDLESS, PeerEnd.NO_PROGRESS, PeerEnd.INVALID_BLOCK}
)


class KnownChain(Protocol):
    """What the machine needs to know of this node's chain, at the moment it asks."""

    def has(self, block: BlockId) -> bool:
        """Says whether a block is in the tree, or on the stored chain below it."""
        ...

    def local_tip(self) -> BlockId:
        """Returns the tip of the local chain."""
        ...

    def latest_immutable(self) -> BlockId:
        """Returns the latest immutable block."""
        ...

    def anchors(self) -> Sequence[BlockId]:
        """Returns the blocks of the local chain at `anchor_heights`.

        With them a peer whose chain left long ago finds something in common, and is recognised.
        """
        ...


def anchor_heights(tip_height: int, security_blocks: int) -> list[int]:
    """Returns heights that lie further and further behind a tip; the last is the genesis."""
    behind = (security_blocks // 4, security_blocks, 4 * security_blocks)
    return [*sorted({tip_height - each for each in behind if each < tip_height}, reverse=True), 0]


@dataclass(frozen=True, slots=True)
class AskTip:
    """Ask a peer for its tip; report `tip`, `answered_failure` or `lost` with the call."""

    call: int
    peer: str


@dataclass(frozen=True, slots=True)
class AskBlocks:
    """Send a request and read one block; report `block`, `ended`, `answered_failure` or `lost`."""

    call: int
    peer: str
    request: DownloadRequest


@dataclass(frozen=True, slots=True)
class ReadNext:
    """Read the next block of the answer; report as for `AskBlocks`."""

    call: int
    peer: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Give the block that was just read to the follower; report `applied` or `refused`."""

    call: int
    peer: str
    block: BlockId


@dataclass(frozen=True, slots=True)
class EndPeer:
    """Close the stream to a peer, and think of it as the reason says."""

    peer: str
    reason: PeerEnd


@dataclass(frozen=True, slots=True)
class Diverged:
    """A peer follows a chain that left this node's before its latest immutable block (CON-47).

    It is not merged. If many peers do, the network was split for longer than k blocks, or this
    node was misled: the operator decides, and may start anew from an older state.
    """

    peer: str
    tip: BlockId
    slot: int
    """Of the peer's tip, as it says."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the run has come; for operators."""

    blocks: int
    """Taken in by this run."""
    slot: int
    """Of the newest of them."""
    target_slot: int | None
    """As the peer says; None: not known."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run has ended."""

    is_complete: bool
    """At least one peer was followed to its tip, or the target is here."""
    reasons: tuple[tuple[str, PeerEnd], ...]
    """What came of each peer last."""


Effect = AskTip | AskBlocks | ReadNext | Apply | EndPeer | Diverged | Progress | Ended


class _Step(Enum):
    IDLE = auto()
    TIP = auto()
    READING = auto()
    APPLYING = auto()
    WAITING = auto()
    """For a block that came another way, and is being verified."""
    PAUSING = auto()
    ENDED = auto()


@dataclass(slots=True)
class _Talk:
    """What is going on with one peer."""

    peer: str
    target: BlockId | None = None
    target_slot: int | None = None
    last: BlockId | None = None
    """The last block that was read in this answer."""
    last_slot: int = -1
    newest: BlockId | None = None
    """The last block that was taken in from this peer."""
    in_batch: int = 0
    new_in_batch: int = 0
    reached_slot: int = -1
    """The newest slot of the answers before."""
    empty_batches: int = 0


@dataclass(slots=True)
class _Plan:
    waiting: list[str] = field(default_factory=list)
    results: dict[str, PeerEnd] = field(default_factory=dict)
    round: int = 1


class Downloading:
    """One run."""

    def __init__(
        self,
        chain: KnownChain,
        peers: Sequence[str],
        target: BlockId | None = None,
        *,
        rounds: int = ROUNDS,
    ) -> None:
        """Prepares a run.

        Args:
            chain: This node's.
            peers: In the order in which they are asked; the caller shuffles them.
            target: None: each peer's tip.
            rounds: How often peers that failed without a fault are tried.
        """
        self._chain = chain
        self._target = target
        self._rounds = rounds
        self._plan = _Plan(list(dict.fromkeys(peers))[:MAX_PEERS])
        self._talk: _Talk | None = None
        self._step = _Step.IDLE
        self._call = 0
        self._wake_ms: int | None = None
        self._until_ms = 0
        """How long a block is waited for that came another way."""
        self._blocks = 0

    def begin(self, now_ms: int) -> list[Effect]:
        """Starts the run."""
        return self._next_peer(now_ms)

    def tip(self, call: int, tip: BlockId, slot: int, now_ms: int) -> list[Effect]:
        """A peer has told its tip. Untrusted."""
        talk = self._current(call, _Step.TIP)
        if talk is None:
            return []
        talk.target, talk.target_slot = tip, slot
        return self._ask(talk, now_ms)

    def block(
        self, call: int, block: BlockId, parent: BlockId, slot: int, now_ms: int
    ) -> list[Effect]:
        """A block was read and decoded. Untrusted, but that the id is its header's."""
        talk = self._current(call, _Step.READING)
        if talk is None:
            return []
        talk.in_batch += 1
        if talk.in_batch > MAX_BATCH:
            return self._end_peer(talk, PeerEnd.ENDLESS, now_ms)
        # CON-44
        follows = self._chain.has(parent) if talk.last is None else parent == talk.last
        if not follows or slot <= talk.last_slot:
            return self._end_peer(talk, PeerEnd.NOT_A_CHAIN, now_ms)
        talk.last, talk.last_slot = block, slot
        if self._chain.has(block):
            talk.newest = block
            return self._read_on(talk, now_ms)
        self._step, self._wake_ms = _Step.APPLYING, None
        return [Apply(self._call, talk.peer, block)]

    def applied(self, call: int, now_ms: int) -> list[Effect]:
        """The block is in the tree."""
        talk = self._current(call, _Step.APPLYING)
        if talk is None:
            return []
        talk.newest = talk.last
        talk.new_in_batch += 1
        self._blocks += 1
        effects: list[Effect] = []
        if self._blocks % PROGRESS_BLOCKS == 0:
            effects.append(Progress(self._blocks, talk.last_slot, talk.target_slot))
        return effects + self._read_on(talk, now_ms)

    def refused(self, call: int, reason: RejectReason, now_ms: int) -> list[Effect]:
        """The follower did not take the block."""
        talk = self._current(call, _Step.APPLYING)
        if talk is None:
            return []
        if reason is RejectReason.ALREADY_KNOWN:
            self._until_ms = now_ms + STALL_MS
            return self._await_known(talk, now_ms)
        if reason is RejectReason.BELOW_LIB:
            tip, slot = talk.target or talk.last, talk.target_slot
            told: list[Effect] = []
            if tip is not None:
                told = [Diverged(talk.peer, tip, talk.last_slot if slot is None else slot)]
            return told + self._end_peer(talk, PeerEnd.BELOW_LIB, now_ms)
        if not reason.is_fault:  # PARENT_UNKNOWN too: the parent was here, and was cut off
            return self._end_peer(talk, PeerEnd.REFUSED, now_ms)
        return self._end_peer(talk, PeerEnd.INVALID_BLOCK, now_ms)

    def ended(self, call: int, now_ms: int) -> list[Effect]:
        """The answer of a peer has no more blocks."""
        talk = self._current(call, _Step.READING)
        if talk is None:
            return []
        is_further = talk.new_in_batch > 0 or talk.last_slot > talk.reached_slot
        talk.empty_batches = 0 if is_further else talk.empty_batches + 1
        talk.reached_slot = max(talk.reached_slot, talk.last_slot)
        if talk.empty_batches >= MAX_EMPTY_BATCHES:
            return self._end_peer(talk, PeerEnd.NO_PROGRESS, now_ms)
        return self._ask_or_tip(talk, now_ms)

    def answered_failure(self, call: int, now_ms: int) -> list[Effect]:
        """A peer does not answer the request."""
        return self._fail(call, PeerEnd.REFUSED, now_ms)

    def lost(self, call: int, now_ms: int) -> list[Effect]:
        """A peer cannot be reached, or its stream has broken."""
        return self._fail(call, PeerEnd.LOST, now_ms)

    def malformed(self, call: int, now_ms: int) -> list[Effect]:
        """A peer has sent what cannot be decoded, or is over a bound."""
        return self._fail(call, PeerEnd.NOT_A_CHAIN, now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Ends a peer that stalls, looks for a block again, or begins another round."""
        if self._wake_ms is None or now_ms < self._wake_ms:
            return []
        if self._step is _Step.PAUSING:
            return self._next_peer(now_ms)
        if self._step is _Step.WAITING and self._talk is not None:
            return self._await_known(self._talk, now_ms)
        return self._fail(self._call, PeerEnd.STALLED, now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        return self._wake_ms

    def _current(self, call: int, step: _Step) -> _Talk | None:
        return self._talk if call == self._call and step is self._step else None

    def _fail(self, call: int, reason: PeerEnd, now_ms: int) -> list[Effect]:
        if call != self._call or self._step not in {_Step.TIP, _Step.READING}:
            return []
        return self._end_peer(self._talk, reason, now_ms) if self._talk is not None else []

    def _next_peer(self, now_ms: int) -> list[Effect]:
        plan = self._plan
        if not plan.waiting:
            return self._finish_round(now_ms)
        self._talk = _Talk(plan.waiting.pop(0), self._target)
        return self._ask_or_tip(self._talk, now_ms)

    def _ask_or_tip(self, talk: _Talk, now_ms: int) -> list[Effect]:
        """Asks for the tip again before each request of a run that follows tips."""
        if self._target is not None:
            return self._ask(talk, now_ms)
        self._begin_call(_Step.TIP, now_ms)
        return [AskTip(self._call, talk.peer)]

    def _ask(self, talk: _Talk, now_ms: int) -> list[Effect]:
        target = talk.target
        if target is None or self._chain.has(target):
            return self._end_peer(talk, PeerEnd.DONE, now_ms)
        talk.last, talk.last_slot, talk.in_batch, talk.new_in_batch = None, -1, 0, 0
        newest = () if talk.newest is None else (talk.newest,)
        additional = (*newest, *self._chain.anchors())[:MAX_ADDITIONAL]
        request = DownloadRequest(
            target, self._chain.local_tip(), self._chain.latest_immutable(), additional
        )
        self._begin_call(_Step.READING, now_ms)
        return [AskBlocks(self._call, talk.peer, request)]

    def _begin_call(self, step: _Step, now_ms: int) -> None:
        self._call += 1
        self._step, self._wake_ms = step, now_ms + STALL_MS

    def _read_on(self, talk: _Talk, now_ms: int) -> list[Effect]:
        if talk.last == talk.target:
            return self._ask_or_tip(talk, now_ms)
        self._step, self._wake_ms = _Step.READING, now_ms + STALL_MS
        return [ReadNext(self._call, talk.peer)]

    def _await_known(self, talk: _Talk, now_ms: int) -> list[Effect]:
        """Reads on once the last block is in the tree; it is being verified, or is there."""
        if talk.last is not None and self._chain.has(talk.last):
            talk.newest = talk.last
            return self._read_on(talk, now_ms)
        if now_ms >= self._until_ms:
            return self._end_peer(talk, PeerEnd.REFUSED, now_ms)
        self._step = _Step.WAITING
        self._wake_ms = min(now_ms + KNOWN_WAIT_MS, self._until_ms)
        return []

    def _end_peer(self, talk: _Talk, reason: PeerEnd, now_ms: int) -> list[Effect]:
        self._plan.results[talk.peer] = reason
        self._talk = None
        effects: list[Effect] = [EndPeer(talk.peer, reason)]
        if reason is PeerEnd.DONE and self._target is not None:
            return effects + self._finish(is_complete=True)
        return effects + self._next_peer(now_ms)

    def _finish_round(self, now_ms: int) -> list[Effect]:
        """Tries peers again that failed without a fault, unless one was followed to its tip."""
        plan = self._plan
        again = [peer for peer, reason in plan.results.items() if reason in _AGAIN]
        is_complete = PeerEnd.DONE in plan.results.values()
        if is_complete or not again or plan.round >= self._rounds:
            return self._finish(is_complete=is_complete)
        pause_ms = FIRST_PAUSE_MS << (plan.round - 1)
        plan.round += 1
        plan.waiting = again
        self._call += 1
        self._step, self._wake_ms = _Step.PAUSING, now_ms + pause_ms
        return []

    def _finish(self, *, is_complete: bool) -> list[Effect]:
        self._call += 1
        self._step, self._wake_ms, self._talk = _Step.ENDED, None, None
        return [Ended(is_complete, tuple(self._plan.results.items()))]


_AGAIN: Final = frozenset({PeerEnd.LOST, PeerEnd.STALLED, PeerEnd.REFUSED})
