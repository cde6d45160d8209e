"""Nodes of a simulated chain: the product's own machines, on virtual time.

Follower, leading, the start and downloads are those of the product, with its lottery, its headers
and their bytes. Played are the network (`Links`), the disk (`chain_disks`), bodies (`Bodies`), and
what takes a processor's time: verifying and proving take some virtual milliseconds, and proofs are
replaced by a checked oracle (`chain_claims`).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from chain_claims import Parcel, Place, make_block
from chain_disks import Kept
from chain_downloads import Download, anchors_of, served
from chain_links import Bodies, EmptyBodies, Network
from logos_chain.core.consensus import starting
from logos_chain.core.consensus.epochs import EpochState, epoch_at
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import (
    Accepted,
    CutOff,
    Effect,
    FetchAncestors,
    Finalised,
    Follower,
    Rejected,
    Reorganised,
    SignedTwice,
    Verify,
)
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.starting import Past, Starting, starting_rule
from logos_chain.core.consensus.sync.downloading import Diverged, PeerEnd
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.consensus.validation import first_fault
from logos_chain.core.leading import Cancel, Leading, Look, Miss, Propose, Prove, Search, Seen
from logos_chain.core.leading import Effect as LeadingEffect
from logos_simulation.node import Node, Run

VERIFY_MS: Final = (5, 60)
SLOW_VERIFY_MS: Final = (200, 1500)
SLOW_PERCENT: Final = 3
"""Of verifications, when a node is busy otherwise."""
PROVE_MS: Final = (200, 1400)
KEEP_MS: Final = 3
"""Between a block's durable write and its place in the tree."""
MAX_HEARD: Final = 2048
MAX_ASKED: Final = 4
"""Peers that are asked for a block's ancestors."""
RESTART_MS: Final = 5000
"""After which whoever started a node whose first download failed starts it again."""

Done = Callable[[RejectReason | None], None]
"""Takes what became of a block: None, or why it was not taken."""


@dataclass(frozen=True, slots=True)
class Made:
    """A proof of this node's, whose slot is to come or has come."""

    asked: Prove
    place: Place


class ChainNode:
    """One node. It is also the chain that its downloads ask (`KnownChain`)."""

    is_honest = True

    def __init__(self, network: Network, name: str, notes: Sequence[LeaderNote] = ()) -> None:
        self.network = network
        self.name = name
        network.nodes[name] = self
        self.notes = {each.note_id: each for each in notes}
        self.peers: list[str] = []
        """Of the first download."""
        self.neighbours: list[ChainNode] = []
        self.kept = Kept(network.genesis, network.parameters.uncle_window_slots)
        self.twice: list[SignedTwice] = []
        self.diverged: list[Diverged] = []
        self.behind: list[Diverged] = []
        """Of peers whose final blocks are the same: they were behind, or named an old fork."""
        self.ends: list[tuple[str, PeerEnd]] = []
        self.refused: list[RejectReason] = []
        """Own blocks that this node has not taken."""
        self.rejected: Counter[RejectReason] = Counter()
        self.node = Node(network.world, name, self._boot)
        self._names = 0

    def new_bodies(self) -> Bodies:
        """Returns what executes bodies, at a start."""
        return EmptyBodies(self.network.genesis.state.ledger_root)

    # -- `KnownChain`, and what peers ask for --------------------------------------------------

    def has(self, block: BlockId) -> bool:
        return block in self.follower.tree or self.kept.is_final(block)

    def local_tip(self) -> BlockId:
        return self.follower.tip.id

    def latest_immutable(self) -> BlockId:
        return self.follower.latest_immutable.id

    def anchors(self) -> Sequence[BlockId]:
        return anchors_of(self)

    def tip(self) -> tuple[BlockId, int]:
        return self.follower.tip.id, self.follower.tip.slot

    def blocks(self, found: object) -> list[Parcel] | None:
        return served(self, found)

    # -- start ---------------------------------------------------------------------------------

    def _boot(self, node: Node) -> None:
        network, parameters, kept = self.network, self.network.parameters, self.kept
        past = Past(kept.root.height == 0, kept.last_online_ms)
        rule = starting_rule(past, parameters.offline_grace_ms, node.now_ms)
        tree = BlockTree(
            kept.root, below=kept.below, keep_slots=parameters.uncle_window_slots, final=kept
        )
        self._undecided: dict[BlockId, tuple[Parcel, Done]] = {}
        self._joined: dict[BlockId, TreeBlock] = {}
        self._heard: OrderedDict[BlockId, None] = OrderedDict()
        self._proofs: dict[int, Made] = {}
        self.bodies = self.new_bodies()
        self.follower = Follower(parameters, network.clock, tree, rule=rule)
        self._following: Run[Effect] = Run(node, self.follower, self._follow)
        self.leading = Leading(
            parameters, network.clock, self.is_on_chain, done=[slot for slot, _ in kept.signed]
        )
        self._lead_run: Run[LeadingEffect] = Run(node, self.leading, self._lead)
        self._restore()
        self.starting = Starting(
            offline_grace_ms=parameters.offline_grace_ms,
            prolonged_bootstrap_ms=parameters.prolonged_bootstrap_ms,
        )
        self._start_run: Run[starting.Effect] = Run(node, self.starting, self._start)
        self._lead_run.put(self.leading.moved, self.follower.tip)
        begin = partial(self.starting.begin, has_peers=bool(self.peers))
        self._start_run.put(_named(begin, "begin"), past)

    def _restore(self) -> None:
        """Takes up what is kept above the newest final block (FOL-13)."""
        stale: list[BlockId] = []
        for parcel in self.kept.unsettled():
            header, tree = parcel.candidate.header, self.follower.tree
            reason = first_fault(self.network.parameters, tree, parcel.candidate, header.slot)
            if reason in {RejectReason.BELOW_LIB, RejectReason.PARENT_UNKNOWN}:
                stale.append(parcel.id)
                continue
            self.network.world.require(reason is None, f"a kept block is no valid one: {reason}")
            root = self._execute(parcel)
            self.network.world.require(root is not None, "a kept block does not execute")
            for effect in self.follower.restore(parcel.candidate, root or b"", self.node.now_ms):
                self._follow(effect)
        self.kept.drop(stale)

    def _start(self, effect: starting.Effect) -> None:
        match effect:
            case starting.UseRule(Rule.ONLINE):
                self._following.put(self.follower.go_online)
            case starting.UseRule():
                self._following.put(self.follower.go_bootstrap)
            case starting.BeginDownload():
                self.download(self.peers, None, self._downloaded)
            case starting.NoteOnline(now_ms):
                self.kept.last_online_ms = now_ms
                self._lead_run.put(self.leading.went_online)
            case starting.Stop():
                self.node.crash()
                self.network.world.after(RESTART_MS, self.node.start)

    def _downloaded(self, is_complete: bool) -> None:  # noqa: FBT001 -- as the machine says it
        step = self.starting.downloaded if is_complete else self.starting.failed
        self._start_run.put(step)

    def download(
        self, peers: Sequence[str], target: BlockId | None, ended: Callable[[bool], None]
    ) -> None:
        Download(self, peers, target, ended)

    # -- blocks --------------------------------------------------------------------------------

    def take(self, parcel: Parcel, source: str, done: Done) -> None:
        """Gives a block to the follower, as `FollowOperations.take` does."""
        if parcel.id in self._undecided:  # FOL-2
            done(RejectReason.ALREADY_KNOWN)
            return
        self._undecided[parcel.id] = (parcel, done)
        self._following.put(self.follower.received, parcel.candidate, source)

    def publish(self, parcel: Parcel, but: str = "") -> None:
        """Sends a block to all neighbours, but whoever it came from."""
        network = self.network
        for each in self.neighbours:
            if each.name == but:
                continue
            copies = 2 if network.world.chance.hits(network.copies_percent) else 1
            for _ in range(copies):
                network.links.send(self.node, each.node, partial(each.heard, parcel, self.name))

    def heard(self, parcel: Parcel, source: str) -> None:
        """A neighbour has sent a block; it is sent on if it is valid."""
        if parcel.id in self._heard:
            return
        self._note_heard(parcel.id)

        def done(reason: RejectReason | None) -> None:
            if reason is None:
                self.publish(parcel, but=source)

        self.take(parcel, source, done)

    def _note_heard(self, block: BlockId) -> None:
        self._heard[block] = None
        if len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)

    def is_on_chain(self, block: BlockId) -> bool:
        found = self.follower.tree.get(block)
        return found is not None and self.follower.tree.is_ancestor(found, self.follower.tip)

    def _follow(self, effect: Effect) -> None:
        match effect:
            case Verify():
                chance = self.network.world.chance
                is_slow = chance.hits(SLOW_PERCENT)
                took_ms = chance.between(*(SLOW_VERIFY_MS if is_slow else VERIFY_MS))
                self.node.after(took_ms, partial(self._verify, effect))
            case Accepted(block):
                self._joined[block.id] = block
                self._decided(block.id, None)
            case Rejected(block, _, reason):
                self._rejected(block, reason)
            case FetchAncestors():
                self._fetch(effect)
            case SignedTwice():
                self.twice.append(effect)
            case Reorganised(_, removed, added):
                self.network.moves[len(removed)] += 1
                self.bodies.moved(removed, added, self.node.now_ms)
                self._lead_run.put(self.leading.moved, self.follower.tip)
            case Finalised(blocks):
                self.kept.settle([self._joined.pop(each) for each in blocks])
                self.bodies.settled(blocks, self.node.now_ms)
                self.network.finalised(self, blocks)
            case CutOff(blocks):
                self.kept.drop(blocks)
                self.bodies.forget(blocks)
                for each in blocks:
                    self._joined.pop(each, None)

    def _verify(self, asked: Verify) -> None:
        block = asked.candidate.header.id
        reason = self.network.oracle.fault(asked.claims)
        parcel, _ = self._undecided[block]
        if reason is None:
            root = self._execute(parcel)
            if root is not None:
                # A parent that was cut off in the meantime is the follower's to find.
                self.kept.add(parcel)
                report = partial(self._following.report, self.follower.verified, block, root)
                self.node.after(KEEP_MS, report)
                return
            reason = RejectReason.INVALID_BODY
        self._following.report(self.follower.refused, block, reason)

    def _execute(self, parcel: Parcel) -> bytes | None:
        parent = self.follower.tree.get(parcel.parent)
        if parent is None:
            return b""
        slot = parcel.candidate.header.slot
        return self.bodies.execute(parcel, self._epoch_after(parent, slot))

    def _epoch_after(self, parent: TreeBlock, slot: int) -> EpochState:
        return epoch_at(self.network.parameters, parent.state, slot)

    def _rejected(self, block: BlockId, reason: RejectReason) -> None:
        self.rejected[reason] += 1
        if reason is not RejectReason.ALREADY_KNOWN:
            self.kept.drop([block])
            self.bodies.forget([block])
        self._decided(block, reason)

    def _decided(self, block: BlockId, reason: RejectReason | None) -> None:
        """Tells whoever gave a block what became of it."""
        found = self._undecided.pop(block, None)
        if found is not None:
            found[1](reason)

    def _fetch(self, wanted: FetchAncestors) -> None:
        others = [each.name for each in self.neighbours if each.name != wanted.source]
        first = [wanted.source] if wanted.source in self.network.nodes else []

        def ended(is_complete: bool) -> None:  # noqa: FBT001 -- as the machine says it
            if not (is_complete and self.has(wanted.parent)):
                self._following.put(self.follower.abandoned, wanted.block)

        self.download([*first, *others][:MAX_ASKED], wanted.parent, ended)

    # -- leading -------------------------------------------------------------------------------

    def switch(self, *, is_on: bool) -> None:
        """Switches leading on or off, as an operator does."""
        self._lead_run.put(self.leading.switched_on if is_on else self.leading.switched_off)

    def spread(self, made: "Made", parcel: Parcel) -> None:
        """Publishes a block of this node's own."""
        self.publish(parcel)

    def _lead(self, effect: LeadingEffect) -> None:
        match effect:
            case Look(roots):
                aged = {each: self.network.oracle.members(each) for each in roots}
                unspent = self.network.oracle.members(self.follower.tip.state.ledger_root)
                values = {each: note.value for each, note in self.notes.items() if each in unspent}
                self._lead_run.report(self.leading.looked, Seen(values, aged))
            case Search(part):
                oracle = self.network.oracle
                slots = oracle.winning_slots(part.epoch, part.note, part.first, part.end)
                self._lead_run.report(self.leading.found, part, slots)
            case Prove():
                self._prove(effect)
            case Cancel(attempt):
                self._proofs.pop(attempt, None)
            case Propose():
                self._propose(effect)

    def _prove(self, asked: Prove) -> None:
        parent = self.follower.tree.get(asked.parent)
        if parent is None or parent.id != self.follower.tip.id:
            self._lead_run.report(self.leading.unproved, asked.attempt, None)
            return
        place = Place(parent.id, asked.slot, asked.epoch, parent.state.ledger_root)
        self._proofs[asked.attempt] = Made(asked, place)
        took_ms = self.network.world.chance.between(*PROVE_MS)

        def done() -> None:
            if asked.attempt in self._proofs:
                self._lead_run.report(self.leading.proved, asked.attempt, took_ms)

        self.node.after(took_ms, done)

    def _propose(self, asked: Propose) -> None:
        made = self._proofs.pop(asked.attempt)
        pair = (made.asked.slot, made.asked.note)
        miss = None if self.is_on_chain(made.place.parent) else Miss.PARENT_GONE
        if pair in self.kept.signed:
            miss = Miss.ALREADY_PROPOSED
        if miss is not None:
            self._lead_run.report(self.leading.unproposed, asked.attempt, miss)
            return
        self.kept.signed.add(pair)
        parcel = self._block(made, is_on_tip=asked.is_on_tip)
        self._note_heard(parcel.id)

        def done(reason: RejectReason | None) -> None:
            if reason is None:
                self._lead_run.report(self.leading.proposed, asked.attempt, parcel.id)
                self.spread(made, parcel)
            else:
                self.refused.append(reason)
                self._lead_run.report(self.leading.unproposed, asked.attempt, Miss.REFUSED)

        self.take(parcel, "", done)

    def _block(self, made: Made, *, is_on_tip: bool) -> Parcel:
        """Makes a block; one that is not on the tip is empty (LEA-9)."""
        slot, parent = made.asked.slot, made.place.parent
        self._names += 1
        return make_block(
            self.network.oracle,
            made.asked.note,
            made.place,
            f"{self.name} {self._names}",
            uncles=self.follower.uncles_for(slot) if is_on_tip else (),
            transactions=self.bodies.choose(parent, slot, self.node.now_ms) if is_on_tip else (),
        )


def _named(step: "partial[list[starting.Effect]]", name: str) -> "partial[list[starting.Effect]]":
    """Gives a bound step a name, for the trace."""
    step.__name__ = name  # type: ignore[attr-defined]
    return step
