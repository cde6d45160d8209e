"""Who is a member, at which leaf, and which roots are accepted (RLN-21, RLN-22, RLN-36).

Members of the genesis list come first, in its order; those who announced themselves follow, by
peer id. So every node has the same tree of the same members, in whatever order it heard of them.
Who has announced two commitments, or was slashed, has no leaf and moves nobody else's.
Changes are committed together when an epoch begins: the window is not used up by a network that
starts, and nodes that heard of the same have the same root.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto import rln
from logos_crypto.trees import RlnTree
from logos_mixnet.core.rln.announced import Announced
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import (
    AnnouncementMalformedError,
    EvidenceError,
    LimitMismatchError,
    MemberExistsError,
    MemberSlashedError,
    MemberUnknownError,
    PeerEquivocatedError,
    RegistrationClosedError,
)
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.signing import HasSigned
from logos_mixnet.core.rln.slashing import SlashRecord

ROOTS: Final = 5


@dataclass(frozen=True, slots=True)
class SaveAnnouncement:
    """Make an announcement durable; report `announcement_saved` or `not_saved`."""

    ticket: Ticket
    announcement: Announcement
    displaced: bytes | None = None
    """The peer for which there is no room any more."""
    forgotten: frozenset[bytes] = frozenset()
    """Commitments of its own that were slashed."""


@dataclass(frozen=True, slots=True)
class SaveSlash:
    """Make durable that a commitment was slashed; report `slash_saved` or `not_saved`."""

    ticket: Ticket
    record: SlashRecord
    commitment: bytes


@dataclass(frozen=True, slots=True)
class PlantTree:
    """Make the tree of all members, off the loop (`plant`); report `planted`."""

    leaves: Mapping[int, bytes]
    """The commitment of each leaf that is not empty."""
    limit: int


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Tell the guard and the prover: paths have changed with the root."""

    roots: tuple[bytes, ...]
    """Accepted, newest first."""
    ids: int
    """Message ids of all members in an epoch."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member's leaf is, for `logos_crypto.rln.Membership.of`."""

    index: int
    siblings: tuple[bytes, ...]
    root: bytes
    limit: int


@dataclass(slots=True)
class _Root:
    root: bytes
    last_epoch: int | None = None
    """After which it is not accepted, once a member under it was slashed; None: it is."""


Effect = SaveAnnouncement | SaveSlash | PlantTree | MembersChanged | Answer | Refuse


def plant(tree: PlantTree) -> RlnTree:
    """Makes a tree. Takes a tenth of a millisecond for each member."""
    planted = RlnTree()
    planted.set_many(
        [(at, rln.rate_commitment(each, tree.limit)) for at, each in tree.leaves.items()]
    )
    return planted


class Members:
    """The machine. All members have the network's limit."""

    def __init__(
        self,
        application: Application,
        epochs: Epochs,
        limit: int,
        has_signed: HasSigned,
        registry: Registry,
    ) -> None:
        """Begins with what is stored; `tick` makes the first root.

        Raises:
            MemberExistsError: A commitment stands twice in the genesis list.
        """
        self._application = application
        self._epochs = epochs
        self._limit = limit
        self._has_signed = has_signed
        self._is_open = registry.is_open
        self._genesis = registry.genesis
        self._announced = Announced(registry.announced)
        self._slashed = set(registry.slashed)
        self._listed = frozenset(self._genesis)
        if len(self._listed) != len(self._genesis):
            raise MemberExistsError("a commitment stands twice in the genesis list")
        self._tree = RlnTree()
        self._leaves: Mapping[int, bytes] = {}
        """As they were wanted last."""
        self._places: Mapping[bytes, int] = {}
        self._roots: deque[_Root] = deque()
        self._epoch: int | None = None
        """In which changes were committed last."""
        self._is_changed = True
        self._is_planting = False

    @property
    def announcements(self) -> Sequence[Announcement]:
        """Who has announced itself, also those who were removed since."""
        return list(self._announced)

    @property
    def outcome(self) -> Sequence[bytes]:
        """What the announcements come to, 71 bytes for each peer: `Announced.outcome`."""
        return self._announced.outcome

    def is_removed(self, commitment: bytes, peer_id: bytes) -> bool:
        """Says whether a member was slashed, or its peer has announced two commitments."""
        return commitment in self._slashed or self._announced.has_equivocated(peer_id)

    def is_registered(self, commitment: bytes) -> bool:
        """Says whether a commitment is of a member, also one to come or one that was slashed."""
        return commitment in self._listed or commitment in self._announced.commitments

    @property
    def count(self) -> int:
        """Members under the newest root."""
        return len(self._places)

    @property
    def is_open(self) -> bool:
        """Whether nodes announce themselves."""
        return self._is_open

    def announced(self, ticket: Ticket, raw: bytes, _now_ms: int) -> list[Effect]:
        """Takes an announcement; answers whether it is new, once it is durable. Untrusted."""
        announcement = Announcement.decode(raw, self._has_signed)
        if self._is_known(announcement):
            return [Answer(ticket, value=False)]
        displaced = self._announced.displaced_by(announcement)
        forgotten = frozenset(self._slashed & self._announced.only_of(displaced))
        return [
            SaveAnnouncement(ticket, announcement, displaced, forgotten - {announcement.commitment})
        ]

    def announcement_saved(self, save: SaveAnnouncement, _now_ms: int) -> list[Effect]:
        """Has the announced member join when the next epoch begins, or one that has two leave."""
        self._announced.add(save.announcement)
        self._slashed -= save.forgotten
        self._is_changed = True
        return [Answer(save.ticket, value=True)]

    def slashed(self, ticket: Ticket, raw: bytes, _now_ms: int) -> list[Effect]:
        """Takes a slash record; answers whether it is new, once it is durable. Untrusted."""
        record = SlashRecord.decode(raw, self._has_signed)
        evidence = record.evidence
        expected = self._application.external_nullifier(evidence.epoch)
        commitment = evidence.identity().commitment
        if evidence.external_nullifier != expected or not self.is_registered(commitment):
            raise EvidenceError("the evidence is against no member of this application")
        if commitment in self._slashed:
            return [Answer(ticket, value=False)]
        return [SaveSlash(ticket, record, commitment)]

    def slash_saved(self, save: SaveSlash, _now_ms: int) -> list[Effect]:
        """Removes the member when the next epoch begins."""
        self._slashed.add(save.commitment)
        self._is_changed = True
        return [Answer(save.ticket, value=True)]

    def not_saved(
        self, save: SaveAnnouncement | SaveSlash, error: Exception, _now_ms: int
    ) -> list[Effect]:
        """Refuses what could not be made durable; nothing has changed."""
        return [Refuse(save.ticket, error)]

    def registered(self, registry: Registry, _now_ms: int) -> list[Effect]:
        """Takes the members as their registry lists them now; they count from the next epoch."""
        gone = registry.slashed - self._slashed
        if registry.genesis != self._genesis or gone:
            self._genesis, self._listed = registry.genesis, frozenset(registry.genesis)
            self._slashed |= gone
            self._is_changed = True
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Drops roots whose time is over, and has changes committed, when an epoch begins."""
        epoch = self._epochs.at(now_ms)
        if epoch == self._epoch:
            return []
        self._epoch = epoch
        before = self._window()
        self._roots = deque(
            each for each in self._roots if each.last_epoch is None or each.last_epoch >= epoch
        )
        effects: list[Effect] = []
        if self._window() != before:
            effects.append(self._changed())
        if self._is_changed and not self._is_planting:
            effects += self._plant(epoch)
        return effects

    def planted(self, wanted: PlantTree, tree: RlnTree, _now_ms: int) -> list[Effect]:
        """Takes the tree of all members: its root is the newest."""
        self._is_planting = False
        before = self._window()
        by_leaf = sorted(wanted.leaves.items(), reverse=True)
        self._places = {each: at for at, each in by_leaf}  # the first of those that copied it
        self._tree = tree
        self._roots.appendleft(_Root(tree.root))
        while len(self._roots) > ROOTS:
            self._roots.pop()
        return [] if self._window() == before else [self._changed()]

    def next_wake_ms(self) -> int | None:
        """Returns when the next epoch begins, if anything changes then."""
        if self._epoch is None:
            return 0
        ends = any(each.last_epoch is not None for each in self._roots)
        return self._epochs.start_ms(self._epoch + 1) if self._is_changed or ends else None

    def place(self, commitment: bytes) -> Place:
        """Returns where a member's leaf is under the newest root.

        Raises:
            MemberUnknownError: It is no member's yet, or no longer.
        """
        index = self._places.get(commitment)
        if index is None:
            raise MemberUnknownError("the commitment is not of a member under the present root")
        siblings = tuple(self._tree.path(index).siblings)
        return Place(index, siblings, self._tree.root, self._limit)

    def _is_known(self, announcement: Announcement) -> bool:
        if announcement.identifier != self._application.identifier:
            raise AnnouncementMalformedError("the announcement is for another application")
        if self._announced.is_known(announcement):
            if announcement.commitment in self._slashed:
                raise MemberSlashedError("the commitment was slashed")
            return True
        if self._announced.has_equivocated(announcement.peer_id):
            raise PeerEquivocatedError("the peer has announced two other commitments")
        if not self._is_open:
            raise RegistrationClosedError("members of this network are those of its genesis list")
        if announcement.commitment in self._listed:
            raise MemberExistsError("the commitment is one of the genesis list")
        if announcement.limit != self._limit:
            raise LimitMismatchError(f"the limit of this network is {self._limit}")
        return False

    def _plant(self, epoch: int) -> list[Effect]:
        self._is_changed = False
        before, self._leaves = self._leaves, self._wanted()
        if self._roots and self._leaves == before:
            return []
        if not set(before.values()) <= set(self._leaves.values()):
            for older in self._roots:  # who proves under one may be who was removed
                older.last_epoch = epoch if older.last_epoch is None else older.last_epoch
        self._is_planting = True
        return [PlantTree(self._leaves, self._limit)]

    def _wanted(self) -> Mapping[int, bytes]:
        listed = {at: each for at, each in enumerate(self._genesis) if each not in self._slashed}
        others = (each for each in self._announced.commitments if each not in self._slashed)
        return listed | dict(enumerate(others, len(self._genesis)))

    def _changed(self) -> MembersChanged:
        return MembersChanged(self._window(), self._limit * len(self._places))

    def _window(self) -> tuple[bytes, ...]:
        return tuple(each.root for each in self._roots)
