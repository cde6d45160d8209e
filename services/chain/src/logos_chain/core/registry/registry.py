"""The members, as the final blocks of a chain make them.

A function of these blocks alone: nothing is undone, since final blocks never are, and all that read
them from the genesis on have the same members in the same leaves, and the same roots.

Spec: docs/protocol/rln-registry.md, RLC-4 to RLC-7.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from logos_chain.core.registry.deposits import ChannelNote, Taken, Told, Written, said
from logos_chain.core.registry.messages import Registration, Slash
from logos_chain.core.registry.rules import RegistryRules
from logos_crypto import rln
from logos_crypto.refusals import RefusedError
from logos_crypto.trees import RlnTree
from logos_mantle.channels import ChannelConfig, ChannelInscribe
from logos_mantle.transactions import Transaction

MAX_ROOTS: Final = 64
"""The newest that are kept, one for each block that has changed the members."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Why a leaf is empty."""

    height: int
    """Of the block."""
    reporter: bytes | None
    """Public key that is to be rewarded, 32 bytes; None: the stake has left, without a slash."""


@dataclass(frozen=True, slots=True)
class Member:
    """One leaf, for good."""

    leaf: int
    commitment: bytes
    """32 bytes, a field value."""
    stake: ChannelNote
    height: int
    """Of the block in which it was registered."""
    transaction: bytes
    """Its hash, 32 bytes."""
    removal: Removal | None = None
    has_stake: bool = True
    """Whether the stake is still in the channel."""


class Root(NamedTuple):
    """A root of the tree, from a block on."""

    height: int
    root: bytes
    """32 bytes, a field value."""


class Registry:
    """The members of one registry. Takes a tenth of a millisecond for a member that changes."""

    def __init__(
        self,
        rules: RegistryRules,
        *,
        height: int = 0,
        is_begun: bool | None = None,
        members: Sequence[Member] = (),
        roots: Iterable[Root] = (),
    ) -> None:
        """Begins after a block: the genesis, or as `state.decode` has read it.

        Args:
            rules: Of the registry.
            height: Of that block.
            is_begun: Whether the channel began by the rules; None: it has not begun.
            members: By leaf.
            roots: Oldest first.
        """
        self.rules = rules
        self.height = height
        self.is_begun = is_begun
        self.members = list(members)
        self.log: list[int] = []
        """Leaves in the order in which they have changed since this object was made."""
        self.paid = 0
        """Stakes of slashed members that have left since this object was made."""
        self.roots: deque[Root] = deque(roots, maxlen=MAX_ROOTS)
        """Oldest first; none before the first member."""
        self._channel = rules.channel
        self._leaves = {each.commitment: each.leaf for each in members}
        self._stakes = {each.stake.id: each.leaf for each in members if each.has_stake}
        self._tree = RlnTree()
        kept = [(each.leaf, self._hash(each)) for each in members if each.removal is None]
        if kept:
            self._tree.set_many(kept)

    @property
    def root(self) -> bytes:
        """The root now, 32 bytes."""
        return self._tree.root

    def find(self, commitment: bytes) -> Member | None:
        """Returns who has a commitment, removed or not."""
        leaf = self._leaves.get(commitment)
        return None if leaf is None else self.members[leaf]

    def owed(self) -> list[Member]:
        """Returns slashed members whose stake is still in the channel, by leaf."""
        held = (self.members[leaf] for leaf in sorted(self._stakes.values()))
        return [each for each in held if each.removal and each.removal.reporter is not None]

    def apply(self, height: int, transactions: Iterable[Transaction]) -> bool:
        """Takes the next final block; returns whether a member has changed.

        Args:
            height: Of the block.
            transactions: Of the block, in their order.

        Raises:
            ValueError: It is not the next block.
        """
        if height != self.height + 1:
            raise ValueError(f"block {height} does not follow block {self.height}")
        self.height = height
        before = len(self.log)
        for transaction in transactions:
            for each in said(transaction, self._channel):
                match each:
                    case Written(operation):
                        self._begin(operation)
                    case Told(Registration() as message):
                        self._register(message, each)
                    case Told(Slash(secret)):
                        self._slash(secret, each.note.public_key)
                    case Taken(notes):
                        self._take(notes)
        is_changed = len(self.log) > before
        if is_changed:
            self.roots.append(Root(height, self.root))
        return is_changed

    def _begin(self, operation: ChannelInscribe | ChannelConfig) -> None:
        if self.is_begun is None:
            self.is_begun = operation == self.rules.beginning

    def _register(self, message: Registration, told: Told) -> None:
        rules = self.rules
        is_fit = self.is_begun and message.limit == rules.limit and told.note.value >= rules.stake
        is_new = message.commitment not in self._leaves
        if not is_fit or not is_new or len(self.members) >= rules.max_members:
            return
        leaf = len(self.members)
        member = Member(leaf, message.commitment, told.note, self.height, told.transaction)
        self.members.append(member)
        self._leaves[member.commitment] = leaf
        self._stakes[member.stake.id] = leaf
        self._tree.set(leaf, self._hash(member))
        self.log.append(leaf)

    def _slash(self, secret: bytes, reporter: bytes) -> None:
        try:
            commitment = rln.Identity.from_secret(secret).commitment
        except RefusedError:
            return
        member = self.find(commitment)
        if member is not None and member.removal is None:
            self._remove(member, reporter)

    def _take(self, notes: Iterable[bytes]) -> None:
        for note in notes:
            leaf = self._stakes.pop(note, None)
            if leaf is None:
                continue
            self.members[leaf] = replace(self.members[leaf], has_stake=False)
            if self.members[leaf].removal is None:
                self._remove(self.members[leaf], None)
            else:
                self.paid += 1

    def _remove(self, member: Member, reporter: bytes | None) -> None:
        removal = Removal(self.height, reporter)
        self.members[member.leaf] = replace(member, removal=removal)
        self._tree.remove(member.leaf)
        self.log.append(member.leaf)

    def _hash(self, member: Member) -> bytes:
        return rln.rate_commitment(member.commitment, self.rules.limit)
