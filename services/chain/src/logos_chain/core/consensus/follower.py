"""Follows the chain: a machine (`logos_base.machine`).

Blocks come in from anywhere. Those that keep the rules of headers are given out to be verified and
executed; those that pass join the tree, the fork choice may move the tip, and a node that is online
makes what is k deep final. Everything that follows from that is told: what was removed and added,
what became final, what was cut off, which leader has signed twice.

The time of its inputs is the wall clock, in Unix milliseconds.

Spec: docs/protocol/chain-consensus.md, CON-20 to CON-39. Source: LIP-92, chain maintenance.
"""

from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.epochs import EpochState, epoch_at, extend
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fork_choice import Rule, choose
from logos_chain.core.consensus.leader_keys import LeaderKeys
from logos_chain.core.consensus.orphans import Orphan, Orphans
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId, Candidate, SignedHeader
from logos_chain.core.consensus.uncles import UnclePool
from logos_chain.core.consensus.validation import LeadershipClaim, claims, first_fault

MAX_PENDING: Final = 64
"""Blocks that are being verified."""
MAX_EARLY: Final = 16
EARLY_SLOTS: Final = 2
"""A block of a slot so near ahead waits until its slot begins (CON-31)."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Verify claims, then execute the body on the parent's ledger.

    Report `verified` or `refused`. The first claim is the block's own, the others are its uncles'.
    """

    candidate: Candidate
    claims: tuple[LeadershipClaim, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A block was not taken (CON-38)."""

    block: BlockId
    source: str
    reason: RejectReason


@dataclass(frozen=True, slots=True)
class FetchAncestors:
    """A block waits for ancestors that are not here: download up to its parent.

    Report `abandoned` if that fails.
    """

    block: BlockId
    parent: BlockId
    source: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A block is in the tree."""

    block: TreeBlock
    source: str


@dataclass(frozen=True, slots=True)
class SignedTwice:
    """One leader key has signed two blocks (CON-39). In one slot that is equivocation."""

    leader_key: bytes
    first: BlockId
    second: BlockId
    is_same_slot: bool


@dataclass(frozen=True, slots=True)
class Reorganised:
    """The local chain has another tip (CON-26)."""

    common: BlockId
    """The newest block of both chains."""
    removed: tuple[BlockId, ...]
    """From the old tip down; empty if the chain has only grown."""
    added: tuple[BlockId, ...]
    """Up to the new tip."""


@dataclass(frozen=True, slots=True)
class Finalised:
    """Blocks will never be removed from the local chain."""

    blocks: tuple[BlockId, ...]
    """Up to the new latest immutable block."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """Blocks beside the local chain were forgotten, and with them their ledger states."""

    blocks: tuple[BlockId, ...]


@dataclass(frozen=True, slots=True)
class _Pending:
    candidate: Candidate
    source: str


Effect = (
    Verify | Rejected | FetchAncestors | Accepted | SignedTwice | Reorganised | Finalised | CutOff
)


class Follower:
    """The chain of one node."""

    def __init__(
        self,
        parameters: Parameters,
        clock: SlotClock,
        tree: BlockTree,
        *,
        rule: Rule,
    ) -> None:
        """Starts with the root of a tree as its tip; stored blocks follow by `restore`."""
        self._parameters = parameters
        self._clock = clock
        self._tree = tree
        self._tip = tree.root
        self._orphans = Orphans()
        self._uncles = UnclePool()
        self._pending: dict[BlockId, _Pending] = {}
        self._early: dict[BlockId, _Pending] = {}
        self._keys = LeaderKeys()
        self.rule = rule

    @property
    def tip(self) -> TreeBlock:
        """The last block of the local chain."""
        return self._tip

    @property
    def latest_immutable(self) -> TreeBlock:
        """The newest block that is final (LIB)."""
        return self._tree.root

    @property
    def tree(self) -> BlockTree:
        """To look into."""
        return self._tree

    @property
    def orphans(self) -> int:
        """Blocks that wait for their parents."""
        return len(self._orphans)

    def epoch_at(self, slot: int) -> EpochState:
        """Returns the epoch state of a slot on the local chain, for a leader."""
        return epoch_at(self._parameters, self._tip.state, slot)

    def uncles_for(self, slot: int) -> list[SignedHeader]:
        """Chooses the uncles of a block of this slot on the tip."""
        return self._uncles.select(self._parameters, self._tree, self._tip, slot)

    def restore(self, candidate: Candidate, ledger_root: bytes, now_ms: int) -> list[Effect]:
        """Takes a block that this node has verified before, at a start, parents first."""
        return self._join(_Pending(candidate, ""), ledger_root)

    def received(self, candidate: Candidate, source: str, now_ms: int) -> list[Effect]:
        """A block has come. Untrusted, but that id and header belong together."""
        header = candidate.header
        if header.id in self._pending or header.id in self._early or header.id in self._orphans:
            return [Rejected(header.id, source, RejectReason.ALREADY_KNOWN)]
        now_slot = self._clock.slot_at(now_ms)
        reason = first_fault(self._parameters, self._tree, candidate, now_slot)
        if reason is None:
            return self._verify(_Pending(candidate, source))
        if reason is RejectReason.FUTURE_SLOT and self._can_wait(header.slot, now_slot):
            self._early[header.id] = _Pending(candidate, source)
            return []
        if reason is not RejectReason.PARENT_UNKNOWN:
            return [Rejected(header.id, source, reason)]
        effects = self._give_up(self._orphans.add(candidate, source), reason)
        is_on_its_way = any(
            header.parent in each for each in (self._pending, self._orphans, self._early)
        )
        if not is_on_its_way:
            effects.append(FetchAncestors(header.id, header.parent, source))
        return effects

    def verified(self, block: BlockId, ledger_root: bytes, now_ms: int) -> list[Effect]:
        """A block's claims and its body are valid; `ledger_root` is that after the block."""
        pending = self._pending.pop(block, None)
        if pending is None:
            return []
        slot = pending.candidate.header.slot  # it had begun, though the clock may be set back since
        reason = first_fault(self._parameters, self._tree, pending.candidate, slot)
        if reason is not None:  # what it stood on was cut off in the meantime
            return [Rejected(block, pending.source, reason), *self._drop_children(block)]
        return self._join(pending, ledger_root)

    def refused(self, block: BlockId, reason: RejectReason, now_ms: int) -> list[Effect]:
        """A block's claims or its body are not valid, and so nothing that follows it is."""
        pending = self._pending.pop(block, None)
        if pending is None:
            return []
        return [Rejected(block, pending.source, reason), *self._drop_children(block)]

    def abandoned(self, block: BlockId, now_ms: int) -> list[Effect]:
        """The ancestors of an orphan cannot be had."""
        return self._give_up(self._orphans.discard(block), RejectReason.PARENT_UNKNOWN)

    def go_online(self, now_ms: int) -> list[Effect]:
        """The online rule is in force from now on: what is k deep is final."""
        self.rule = Rule.ONLINE
        return self._commit()

    def go_bootstrap(self, now_ms: int) -> list[Effect]:
        """The bootstrap rule is in force; what is final stays so."""
        self.rule = Rule.BOOTSTRAP
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Looks at the blocks whose slots have begun."""
        now_slot = self._clock.slot_at(now_ms)
        effects: list[Effect] = []
        for block in [one for one, each in self._early.items() if _slot(each) <= now_slot]:
            each = self._early.pop(block)
            effects += self.received(each.candidate, each.source, now_ms)
            if block not in self._pending:
                effects += self._drop_children(block)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the next waiting block's slot begins."""
        slots = [_slot(each) for each in self._early.values()]
        return self._clock.begins_ms(min(slots)) if slots else None

    def _can_wait(self, slot: int, now_slot: int) -> bool:
        return slot <= now_slot + EARLY_SLOTS and len(self._early) < MAX_EARLY

    def _verify(self, pending: _Pending) -> list[Effect]:
        block = pending.candidate.header.id
        if len(self._pending) >= MAX_PENDING:
            busy: list[Effect] = [Rejected(block, pending.source, RejectReason.BUSY)]
            return busy + self._drop_children(block)
        self._pending[block] = pending
        found = claims(self._parameters, self._tree, pending.candidate)
        return [Verify(pending.candidate, found)]

    def _join(self, pending: _Pending, ledger_root: bytes) -> list[Effect]:
        candidate, header = pending.candidate, pending.candidate.header
        parent = self._tree.get(header.parent)
        if parent is None:
            raise ValueError("a block whose parent is not in the tree")
        state = extend(
            self._parameters,
            parent.state,
            slot=header.slot,
            entropy=header.entropy,
            ledger_root=ledger_root,
            uncle_slots=[each.header.slot for each in candidate.uncles],
        )
        block = self._tree.add(header.id, header.parent, state, header.leader_key)
        self._uncles.remember(candidate.signed, candidate.uncles)
        effects: list[Effect] = [Accepted(block, pending.source)]
        effects += [
            SignedTwice(header.leader_key, one, header.id, slot == header.slot)
            for one, slot in self._keys.add(header.leader_key, header.id, header.slot)
        ]
        effects += self._move(block)
        if self.rule is Rule.ONLINE:
            effects += self._commit()
        effects += self._cut(self._tree.shrink(self._tip))
        for orphan in self._orphans.children_of(header.id):
            effects += self._again(orphan.candidate, orphan.source)
        return effects

    def _again(self, candidate: Candidate, source: str) -> list[Effect]:
        """Looks at an orphan whose parent has come; its slot has begun."""
        slot = candidate.header.slot
        reason = first_fault(self._parameters, self._tree, candidate, slot)
        if reason is not None:
            return self._give_up([Orphan(candidate, source)], reason)
        return self._verify(_Pending(candidate, source))

    def _move(self, block: TreeBlock) -> list[Effect]:
        """Moves the tip, if the fork choice says so."""
        old = self._tip
        if block.parent == old.id:
            self._tip = block
        else:
            forks = [each for each in self._tree.tips() if each.id != old.id]
            self._tip = choose(
                self._tree,
                old,
                forks,
                rule=self.rule,
                security_blocks=self._parameters.security_blocks,
                window_slots=self._parameters.density_slots,
            )
        if self._tip.id == old.id:
            return []
        common = self._tree.common_ancestor(old, self._tip)
        removed = tuple(each.id for each in reversed(self._tree.path(common, old)))
        added = tuple(each.id for each in self._tree.path(common, self._tip))
        return [Reorganised(common.id, removed, added)]

    def _commit(self) -> list[Effect]:
        """Makes the block k deep final, and cuts off what does not descend from it (CON-24)."""
        old = self._tree.root
        height = self._tip.height - self._parameters.security_blocks
        root = self._tree.ancestor(self._tip, height) if height > old.height else None
        if root is None:
            return []
        final = tuple(each.id for each in self._tree.path(old, root))
        cut = self._tree.advance_root(root)
        late = self._orphans.until(root.slot)
        return [
            Finalised(final),
            *self._cut(cut),
            *self._give_up(late, RejectReason.BELOW_LIB),
        ]

    def _cut(self, blocks: list[TreeBlock]) -> list[Effect]:
        return [CutOff(tuple(each.id for each in blocks))] if blocks else []

    def _drop_children(self, block: BlockId) -> list[Effect]:
        return self._give_up(self._orphans.children_of(block), RejectReason.PARENT_UNKNOWN)

    def _give_up(self, orphans: list[Orphan], reason: RejectReason) -> list[Effect]:
        """Rejects orphans, and with them those that wait for them."""
        effects: list[Effect] = []
        for orphan in orphans:
            block = orphan.candidate.header.id
            effects += [Rejected(block, orphan.source, reason), *self._drop_children(block)]
        return effects


def _slot(pending: _Pending) -> int:
    return pending.candidate.header.slot
