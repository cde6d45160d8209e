"""What peers have announced: all who heard the same know the same (RLN-22, RLN-36).

Of a peer that has signed one commitment that announcement is kept; of one that has signed two,
both: they prove that it is no member any more, and a third changes nothing. Of more peers than
may announce themselves those with the lowest ids are kept. So nodes come to one outcome in
whatever order they hear of it, and no peer changes the members more than twice.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import MembersFullError

MAX_ANNOUNCED: Final = 1_024
"""Peers."""


class Announced:
    """Announcements whose signatures were checked."""

    def __init__(self, kept: Iterable[Announcement]) -> None:
        self._of_peer: dict[bytes, tuple[Announcement, ...]] = {}
        for each in kept:
            if not (self.is_known(each) or self.has_equivocated(each.peer_id)):
                self.add(each)

    def __iter__(self) -> Iterator[Announcement]:
        return (each for kept in self._of_peer.values() for each in kept)

    def is_known(self, announcement: Announcement) -> bool:
        """Says whether the peer has announced this commitment before."""
        kept = self._of_peer.get(announcement.peer_id, ())
        return any(each.commitment == announcement.commitment for each in kept)

    def has_equivocated(self, peer_id: bytes) -> bool:
        """Says whether a peer has announced two commitments."""
        return len(self._of_peer.get(peer_id, ())) > 1

    @property
    def outcome(self) -> list[bytes]:
        """For each peer, by id, its id and its commitment; zeros for that if it has two.

        Nodes with the same outcome have the same members, also if they know other two.
        """
        return [
            peer_id + (bytes(32) if len(kept) > 1 else kept[0].commitment)
            for peer_id, kept in sorted(self._of_peer.items())
        ]

    @property
    def commitments(self) -> list[bytes]:
        """Of peers that have announced one only, by peer id. One may stand twice: it was copied."""
        kept = (self._of_peer[each] for each in sorted(self._of_peer))
        return [each[0].commitment for each in kept if len(each) == 1]

    def displaced_by(self, announcement: Announcement) -> bytes | None:
        """Returns the peer that an announcement displaces, if there are too many.

        Raises:
            MembersFullError: Its own peer is the one.
        """
        if announcement.peer_id in self._of_peer or len(self._of_peer) < MAX_ANNOUNCED:
            return None
        last = max(self._of_peer)
        if announcement.peer_id > last:
            raise MembersFullError(
                f"{MAX_ANNOUNCED} peers with lower ids have announced themselves"
            )
        return last

    def only_of(self, peer_id: bytes | None) -> set[bytes]:
        """Returns the commitments that no other peer has announced."""
        others = {each.commitment for each in self if each.peer_id != peer_id}
        return {each.commitment for each in self if each.peer_id == peer_id} - others

    def add(self, announcement: Announcement) -> None:
        """Keeps one that is not known, of a peer that has not equivocated."""
        displaced = self.displaced_by(announcement)
        if displaced is not None:
            del self._of_peer[displaced]
        kept = self._of_peer.get(announcement.peer_id, ())
        self._of_peer[announcement.peer_id] = (*kept, announcement)
