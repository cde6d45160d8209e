"""Who is a member, at which leaf, and which roots are accepted (RLN-21, RLN-22).

Members of the genesis list come first, in its order; those who announced themselves follow, by
peer id. So every node has the same tree of the same members, in whatever order it heard of them.
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
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import (
    AnnouncementMalformedError,
    EvidenceError,
    LimitMismatchError,
    MemberExistsError,
    MembersFullError,
    MemberSlashedError,
    MemberUnknownError,
    RegistrationClosedError,
)
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.signing import HasSigned
from logos_mixnet.core.rln.slashing import SlashRecord

MAX_ANNOUNCED: Final = 1_024
ROOTS: Final = 5


@dataclass(frozen=True, slots=True)
class SaveAnnouncement:
    """Make an announcement durable; report `announcement_saved` or `not_saved`."""

    ticket: Ticket
    announcement: Announcement


@dataclass(frozen=True, slots=True)
class SaveSlash:
    """Make durable that a commitment was slashed; report `slash_saved` or `not_saved`."""

    ticket: Ticket
    record: SlashRecord
    commitment: bytes


@dataclass(frozen=True, slots=True)
class PlantTree:
    """Make the tree of all members, off the loop (`plant`); report `planted`."""

    places: Mapping[bytes, int]
    """The leaf of each commitment."""
    limit: int


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Tell the guard, and whoever proves: paths have changed with the root."""

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
        [(at, rln.rate_commitment(each, tree.limit)) for each, at in tree.places.items()]
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
        self._announced = {each.peer_id: each for each in registry.announced}
        self._slashed = set(registry.slashed)
        self._commitments = {*self._genesis, *(each.commitment for each in registry.announced)}
        if len(set(self._genesis)) != len(self._genesis):
            raise MemberExistsError("a commitment stands twice in the genesis list")
        self._tree = RlnTree()
        self._places: Mapping[bytes, int] = {}
        self._roots: deque[_Root] = deque()
        self._epoch: int | None = None
        """In which changes were committed last."""
        self._is_changed = True
        self._has_slashed = False
        self._is_planting = False

    @property
    def announcements(self) -> Sequence[Announcement]:
        """Who has announced itself, also those who were slashed since."""
        return list(self._announced.values())

    @property
    def slashed_commitments(self) -> frozenset[bytes]:
        """Who was slashed."""
        return frozenset(self._slashed)

    def is_registered(self, commitment: bytes) -> bool:
        """Says whether a commitment is of a member, also one to come or one that was slashed."""
        return commitment in self._commitments

    @property
    def count(self) -> int:
        """Members under the newest root."""
        return len(self._places)

    @property
    def is_open(self) -> bool:
        """Whether nodes announce themselves."""
        return self._is_open

    def announced(self, ticket: Ticket, raw: bytes, _now_ms: int) -> list[Effect]:
        """Takes an announcement; answers once it is durable, at once if it is known. Untrusted."""
        announcement = Announcement.decode(raw, self._has_signed)
        if self._is_known(announcement):
            return [Answer(ticket)]
        return [SaveAnnouncement(ticket, announcement)]

    def announcement_saved(self, save: SaveAnnouncement, _now_ms: int) -> list[Effect]:
        """Has the announced member join when the next epoch begins."""
        announcement = save.announcement
        self._announced[announcement.peer_id] = announcement
        self._commitments.add(announcement.commitment)
        self._is_changed = True
        return [Answer(save.ticket)]

    def slashed(self, ticket: Ticket, raw: bytes, _now_ms: int) -> list[Effect]:
        """Takes a slash record, of this node or another; answers once it is durable. Untrusted."""
        record = SlashRecord.decode(raw, self._has_signed)
        evidence = record.evidence
        expected = self._application.external_nullifier(evidence.epoch)
        commitment = evidence.identity().commitment
        if evidence.external_nullifier != expected or commitment not in self._commitments:
            raise EvidenceError("the evidence is against no member of this application")
        if commitment in self._slashed:
            return [Answer(ticket)]
        return [SaveSlash(ticket, record, commitment)]

    def slash_saved(self, save: SaveSlash, _now_ms: int) -> list[Effect]:
        """Removes the member when the next epoch begins."""
        self._slashed.add(save.commitment)
        self._is_changed = self._has_slashed = True
        return [Answer(save.ticket)]

    def not_saved(
        self, save: SaveAnnouncement | SaveSlash, error: Exception, _now_ms: int
    ) -> list[Effect]:
        """Refuses what could not be made durable; nothing has changed."""
        return [Refuse(save.ticket, error)]

    def registered(self, registry: Registry, _now_ms: int) -> list[Effect]:
        """Takes the members as their registry lists them now; they count from the next epoch."""
        gone = registry.slashed - self._slashed
        if registry.genesis != self._genesis or gone:
            self._genesis = registry.genesis
            self._commitments.update(registry.genesis)
            self._slashed |= gone
            self._is_changed = True
            self._has_slashed = self._has_slashed or bool(gone)
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
            effects.append(self._plant(epoch))
        return effects

    def planted(self, wanted: PlantTree, tree: RlnTree, _now_ms: int) -> list[Effect]:
        """Takes the tree of all members: its root is the newest."""
        self._is_planting = False
        before = self._window()
        self._places, self._tree = wanted.places, tree
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
        if announcement.commitment in self._slashed:
            raise MemberSlashedError("the commitment was slashed")
        kept = self._announced.get(announcement.peer_id)
        if kept is not None and kept.commitment == announcement.commitment:
            return True
        if kept is not None and kept.commitment in self._slashed:
            raise MemberSlashedError("the peer was slashed")
        if kept is not None or announcement.commitment in self._commitments:
            raise MemberExistsError("a peer has one commitment, and a commitment one peer")
        if not self._is_open:
            raise RegistrationClosedError("members of this network are those of its genesis list")
        if announcement.limit != self._limit:
            raise LimitMismatchError(f"the limit of this network is {self._limit}")
        if len(self._announced) >= MAX_ANNOUNCED:
            raise MembersFullError(f"{MAX_ANNOUNCED} peers have announced themselves")
        return False

    def _plant(self, epoch: int) -> PlantTree:
        by_peer = sorted(self._announced.values(), key=lambda each: each.peer_id)
        members = [*self._genesis, *(each.commitment for each in by_peer)]
        places = {each: index for index, each in enumerate(members) if each not in self._slashed}
        if self._has_slashed:  # who proves under an older root may be who was removed
            for older in self._roots:
                older.last_epoch = epoch if older.last_epoch is None else older.last_epoch
        self._is_changed = self._has_slashed = False
        self._is_planting = True
        return PlantTree(places, self._limit)

    def _changed(self) -> MembersChanged:
        return MembersChanged(self._window(), self._limit * len(self._places))

    def _window(self) -> tuple[bytes, ...]:
        return tuple(each.root for each in self._roots)
