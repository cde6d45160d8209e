"""Who is a member, at which leaf, and which roots are accepted (RLN-21, RLN-22, RLN-36, RLN-37).

Members of the genesis list come first, in its order; those who announced themselves follow, by
peer id. So every node has the same tree of the same members, in whatever order it heard of them.
One that has announced two commitments, or was slashed, has no leaf; no other leaf moves.

Changes of an epoch are committed together, and that in two steps. A fifth of an epoch before an
epoch begins is the cut: the members heard of by then have a root, which is accepted from there on.
A node proves under it from the epoch's beginning on, and only if it heard of no change within a
fifth of an epoch before and after the cut. Nodes hear of the same change within that time: so
where one heard of none so near the cut, all had the same members at the cut, and accept the root.
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
SPREAD: Final = 5
"""A change reaches all nodes within one such part of an epoch."""


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
    """Tell the guard and the prover: other roots are accepted, or another is proven under."""

    roots: tuple[bytes, ...]
    """Accepted, newest first."""
    ids: int
    """Message ids of all members under the newest root in an epoch."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member's leaf is, for `logos_crypto.rln.Membership.of`."""

    index: int
    siblings: tuple[bytes, ...]
    root: bytes
    limit: int


@dataclass(slots=True, eq=False)
class _Root:
    tree: RlnTree
    places: Mapping[bytes, int]
    """The leaf of each commitment."""
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
        self._spread_ms = epochs.period_ms // SPREAD
        self._leaves: Mapping[int, bytes] = {}
        """As they were at the last cut."""
        self._roots: deque[_Root] = deque()
        """Newest first."""
        self._proven: _Root | None = None
        """Under which this node proves."""
        self._epoch: int | None = None
        """Which began last."""
        self._cut: int | None = None
        """The epoch of the last cut."""
        self._heard_ms: int | None = None
        """When a change was heard of last."""
        self._removed_in: int | None = None
        """In which epoch it was first heard, since the last cut, that a member is none any more."""
        self._is_changed = True
        self._is_planting = False
        self._is_settled = False
        """Whether all nodes have the newest root, or the one that is planted."""

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
        return len(self._roots[0].places) if self._roots else 0

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

    def announcement_saved(self, save: SaveAnnouncement, now_ms: int) -> list[Effect]:
        """Has the announced member join at the next cut, or one that has two leave."""
        effects = self.tick(now_ms)
        self._announced.add(save.announcement)
        self._slashed -= save.forgotten
        self._note(now_ms)
        return [*effects, Answer(save.ticket, value=True)]

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

    def slash_saved(self, save: SaveSlash, now_ms: int) -> list[Effect]:
        """Removes the member at the next cut."""
        effects = self.tick(now_ms)
        self._slashed.add(save.commitment)
        self._note(now_ms)
        return [*effects, Answer(save.ticket, value=True)]

    def not_saved(
        self, save: SaveAnnouncement | SaveSlash, error: Exception, _now_ms: int
    ) -> list[Effect]:
        """Refuses what could not be made durable; nothing has changed."""
        return [Refuse(save.ticket, error)]

    def registered(self, registry: Registry, now_ms: int) -> list[Effect]:
        """Takes the members as their registry lists them now; they count from the next cut."""
        effects = self.tick(now_ms)
        gone = registry.slashed - self._slashed
        if registry.genesis != self._genesis or gone:
            self._genesis, self._listed = registry.genesis, frozenset(registry.genesis)
            self._slashed |= gone
            self._note(now_ms)
        return effects

    def tick(self, now_ms: int) -> list[Effect]:
        """Has changes committed at a cut; chooses the root to prove under as an epoch begins.

        What is heard of afterwards, however late the tick, is not of this cut.
        """
        effects: list[Effect] = []
        cut, epoch = self._epochs.at(now_ms + self._spread_ms), self._epochs.at(now_ms)
        if cut != self._cut:
            self._cut = cut
            if self._is_changed and not self._is_planting:
                effects += self._plant()
        if epoch != self._epoch:
            effects += self._begin(epoch)
        return effects

    def planted(self, wanted: PlantTree, tree: RlnTree, _now_ms: int) -> list[Effect]:
        """Takes the tree of all members: its root is the newest."""
        self._is_planting = False
        before = self._window()
        by_leaf = sorted(wanted.leaves.items(), reverse=True)
        places = {each: at for at, each in by_leaf}  # the first of those that copied it
        self._roots.appendleft(_Root(tree, places))
        while len(self._roots) > ROOTS:
            self._roots.pop()
        return self._choose(before)

    def next_wake_ms(self) -> int | None:
        """Returns when the next cut is, or the next epoch begins, if anything changes then."""
        if self._epoch is None or self._cut is None:
            return 0
        ends = any(each.last_epoch is not None for each in self._roots)
        is_behind = bool(self._roots) and self._proven is not self._roots[0]
        times = [self._epochs.start_ms(self._cut + 1) - self._spread_ms] * self._is_changed
        times += [self._epochs.start_ms(self._epoch + 1)] * (ends or is_behind)
        return min(times, default=None)

    def place(self, commitment: bytes) -> Place:
        """Returns where a member's leaf is under the root that this node proves under.

        Raises:
            MemberUnknownError: It is no member's yet, or no longer.
        """
        index = self._proven.places.get(commitment) if self._proven else None
        if self._proven is None or index is None:
            raise MemberUnknownError("the commitment is not of a member under the present root")
        tree = self._proven.tree
        return Place(index, tuple(tree.path(index).siblings), tree.root, self._limit)

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

    def _note(self, now_ms: int) -> None:
        """Notes that the members have changed."""
        self._is_changed, self._heard_ms = True, now_ms
        is_removal = not set(self._leaves.values()) <= set(self._wanted().values())
        if is_removal and self._removed_in is None:
            self._removed_in = self._epochs.at(now_ms)

    def _plant(self) -> list[Effect]:
        self._is_changed = False
        removed_in, self._removed_in = self._removed_in, None
        before, self._leaves = self._leaves, self._wanted()
        if self._roots and self._leaves == before:
            return []
        if removed_in is not None:
            last = removed_in + 1
            for older in self._roots:  # who proves under one may be who was removed
                older.last_epoch = last if older.last_epoch is None else older.last_epoch
        self._is_planting, self._is_settled = True, False
        return [PlantTree(self._leaves, self._limit)]

    def _begin(self, epoch: int) -> list[Effect]:
        self._epoch = epoch
        before = self._window()
        self._roots = deque(
            each for each in self._roots if each.last_epoch is None or each.last_epoch >= epoch
        )
        # A node that comes is sure a fifth later than the others, who then are as sure as it is:
        # it knows none of the roots that they prove under meanwhile.
        quiet = 2 if self._proven and self._proven.places else 3
        since_ms = self._epochs.start_ms(epoch) - (self._heard_ms or 0)
        is_oldest = len(self._roots) == ROOTS and self._proven is self._roots[-1]
        self._is_settled = is_oldest or not 0 <= since_ms < quiet * self._spread_ms
        return self._choose(before)

    def _choose(self, before: tuple[bytes, ...]) -> list[Effect]:
        """Moves to the newest root if all have it, or if the one proven under is accepted no more.

        Changes that never cease hold it up until the one proven under is the oldest of `ROOTS`.
        """
        proven = self._proven
        if self._roots and (self._is_settled or proven not in self._roots):
            self._proven = self._roots[0]
        is_same = self._proven is proven and self._window() == before
        return [] if is_same else [self._changed()]

    def _wanted(self) -> Mapping[int, bytes]:
        listed = {at: each for at, each in enumerate(self._genesis) if each not in self._slashed}
        others = (each for each in self._announced.commitments if each not in self._slashed)
        return listed | dict(enumerate(others, len(self._genesis)))

    def _changed(self) -> MembersChanged:
        return MembersChanged(self._window(), self._limit * self.count)

    def _window(self) -> tuple[bytes, ...]:
        return tuple(each.tree.root for each in self._roots)
