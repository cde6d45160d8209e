"""A world of peers with chains, honest and not, for downloads on virtual time."""

import heapq
from collections.abc import Callable, Sequence
from itertools import count

from chain_blocks import GENESIS, NOON, candidate, deliver, identified, new_follower, outcomes

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import Accepted, FetchAncestors, Follower
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.sync.downloading import (
    Apply,
    AskBlocks,
    AskTip,
    Diverged,
    Downloading,
    Effect,
    Ended,
    EndPeer,
    PeerEnd,
    ReadNext,
    anchor_heights,
)
from logos_chain.core.consensus.sync.messages import DownloadRequest
from logos_chain.core.consensus.sync.serving import Answered, answer
from logos_chain.core.consensus.types import BlockId, Candidate


class Chain:
    """All blocks of one node, as both sides of the synchronisation see them."""

    def __init__(
        self, parameters: Parameters, rule: Rule, blocks: Sequence[Candidate] = ()
    ) -> None:
        self.parameters = parameters
        self.follower: Follower = new_follower(parameters, rule, final=self)
        self.bodies: dict[BlockId, Candidate] = {}
        """Of all that has come, accepted or not."""
        self.missing: list[FetchAncestors] = []
        self.lines: dict[BlockId, list[BlockId]] = {GENESIS: [GENESIS]}
        for each in blocks:
            self.take(each)

    def take(self, block: Candidate, source: str = "a") -> str | None:
        """Returns why the block was not taken; None: it was, or it waits for its parent."""
        self.bodies.setdefault(block.header.id, block)
        effects = deliver(self.follower, block, source)
        for each in effects:
            if isinstance(each, Accepted):
                self.lines[each.block.id] = [*self.lines[each.block.parent], each.block.id]
            elif isinstance(each, FetchAncestors):
                self.missing.append(each)
        told = outcomes(effects).get(block.header.id)
        return None if told == "ACCEPTED" else told

    def has(self, block: BlockId) -> bool:
        return block in self.lines

    def is_final(self, block: BlockId) -> bool:
        return block in self.lines

    def local_tip(self) -> BlockId:
        return self.follower.tip.id

    def latest_immutable(self) -> BlockId:
        return self.follower.latest_immutable.id

    def anchors(self) -> Sequence[BlockId]:
        line = self.lines[self.local_tip()]
        return [
            line[each] for each in anchor_heights(len(line) - 1, self.parameters.security_blocks)
        ]

    def height_of(self, block: BlockId) -> int | None:
        return len(self.lines[block]) - 1 if block in self.lines else None

    def common_ancestor(self, one: BlockId, other: BlockId) -> BlockId:
        pairs = zip(self.lines[one], self.lines[other], strict=False)
        return [left for left, right in pairs if left == right][-1]

    def path(self, after: BlockId, until: BlockId, limit: int) -> Sequence[BlockId]:
        line = self.lines[until]
        return line[line.index(after) + 1 :][:limit]


class Peer:
    """Answers as it should."""

    batch = 3

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def tip(self) -> tuple[BlockId, int] | None:
        tip = self.chain.follower.tip
        return tip.id, tip.slot

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        """None: a failure."""
        found = answer(request, self.chain, self.batch)
        if not isinstance(found, Answered):
            return None
        return [self.chain.bodies[each] for each in found.blocks]


class Silent(Peer):
    def tip(self) -> tuple[BlockId, int] | None:
        return None


class Junk(Peer):
    """Blocks that have nothing to do with one another."""

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        return [candidate(f"junk {each}", identified(f"junk {each}"), each) for each in range(9)]

    def tip(self) -> tuple[BlockId, int] | None:
        return identified("junk"), 999


class Skipping(Peer):
    """Leaves out every other block."""

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        found = super().blocks(request)
        return found and found[::2]


class Hollow(Peer):
    """Promises a tip and never sends anything."""

    def tip(self) -> tuple[BlockId, int] | None:
        return identified("promised"), 10**9

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        return []


class Repeating(Hollow):
    """Sends the first blocks of the chain again and again."""

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        chain = self.chain
        return [chain.bodies[each] for each in chain.lines[chain.local_tip()][1:4]]


class Endless(Hollow):
    """Sends headers that follow one another without end, all of them in slots to come."""

    def blocks(self, request: DownloadRequest) -> list[Candidate] | None:
        made, parent = [], GENESIS
        for number in range(200):
            made.append(candidate(f"endless {number}", parent, number + 1, version=2))
            parent = made[-1].header.id
        return made


class Downloads:
    """One run of a download against peers; 5 ms a message."""

    def __init__(self, local: Chain, peers: dict[str, Peer], target: BlockId | None = None) -> None:
        self.local, self.peers = local, peers
        self.machine = Downloading(local, list(peers), target)
        self.now_ms = NOON
        self.events: list[tuple[int, int, Callable[[], list[Effect]]]] = []
        self.order = count()
        self.streams: dict[int, list[Candidate]] = {}
        self.ends: list[tuple[str, PeerEnd]] = []
        self.diverged: list[Diverged] = []
        self.ended: Ended | None = None
        self.reads = 0

    def run(self) -> "Downloads":
        self.obey(self.machine.begin(self.now_ms))
        while self.ended is None:
            wake_ms = self.machine.next_wake_ms()
            if self.events and (wake_ms is None or self.events[0][0] <= wake_ms):
                self.now_ms, _, what = heapq.heappop(self.events)
                self.obey(what())
            else:
                assert wake_ms is not None, "nothing is under way, and it does not wake"
                self.now_ms = max(self.now_ms, wake_ms)
                self.obey(self.machine.tick(self.now_ms))
        assert self.machine.next_wake_ms() is None
        assert self.machine.tick(self.now_ms) == []
        return self

    def after(self, what: Callable[[], list[Effect]]) -> None:
        heapq.heappush(self.events, (self.now_ms + 5, next(self.order), what))

    def obey(self, effects: list[Effect]) -> None:
        for each in effects:
            match each:
                case AskTip(call, peer):
                    self.answer_tip(call, peer)
                case AskBlocks(call, peer, request):
                    blocks = self.peers[peer].blocks(request)
                    if blocks is None:
                        self.after(
                            lambda call=call: self.machine.answered_failure(call, self.now_ms)
                        )  # type: ignore[misc]
                    else:
                        self.streams[call] = blocks[::-1]
                        self.read(call)
                case ReadNext(call, _):
                    self.read(call)
                case Apply(call, _, block):
                    self.apply(call, block)
                case EndPeer(peer, reason):
                    self.ends.append((peer, reason))
                case Diverged():
                    self.diverged.append(each)
                case Ended():
                    assert self.ended is None
                    self.ended = each

    def answer_tip(self, call: int, peer: str) -> None:
        tip = self.peers[peer].tip()
        if tip is not None:
            self.after(lambda: self.machine.tip(call, *tip, self.now_ms))

    def answer_blocks(self, call: int, blocks: list[Candidate] | None) -> None:
        if blocks is None:
            self.after(lambda: self.machine.answered_failure(call, self.now_ms))
        else:
            self.streams[call] = blocks[::-1]
            self.read(call)

    def read(self, call: int) -> None:
        self.reads += 1
        if not self.streams[call]:
            self.after(lambda: self.machine.ended(call, self.now_ms))
            return
        self.reading = self.streams[call].pop()
        header = self.reading.header
        self.after(
            lambda: self.machine.block(call, header.id, header.parent, header.slot, self.now_ms)
        )

    def apply(self, call: int, block: BlockId) -> None:
        assert self.reading.header.id == block
        reason = self.local.take(self.reading)
        if reason is None:
            self.after(lambda: self.machine.applied(call, self.now_ms))
        else:
            self.after(lambda: self.machine.refused(call, RejectReason(reason), self.now_ms))
