"""Where this node stands among the members: its path, and which roots are accepted."""

import asyncio
from collections.abc import Callable

from logos_crypto.rln import Identity, Membership, Preparer, Proof
from logos_mixnet.core.rln.errors import MemberUnknownError
from logos_mixnet.core.rln.members import Place
from logos_mixnet.operations.rln_threads import RlnThreads


class Standing:
    """This node's membership, under the root that it proves under."""

    def __init__(self, identity: Identity, threads: RlnThreads) -> None:
        self.identity = identity
        self.roots: tuple[bytes, ...] = ()
        """Accepted, newest first."""
        self.place: Place | None = None
        """None: it is no member."""
        self._threads = threads
        self._making: asyncio.Future[Preparer] | None = None

    @property
    def is_member(self) -> bool:
        """Whether it has a leaf under that root."""
        return self.place is not None

    def check(self) -> None:
        """Raises `MemberUnknownError` unless this node is a member."""
        if self.place is None:
            raise MemberUnknownError("this node is no member under the present root")

    def moved(self, roots: tuple[bytes, ...], place: Callable[[bytes], Place]) -> None:
        """Takes the accepted roots, and looks where the node's leaf is."""
        self.roots, before = roots, self.place
        try:
            self.place = place(self.identity.commitment)
        except MemberUnknownError:
            self.place = None
        if self.place != before:
            self._making = None

    @property
    def has_preparer(self) -> bool:
        """Whether `preparer` returns at once."""
        making = self._making
        return making is not None and making.done() and making.exception() is None

    async def preparer(self) -> Preparer:
        """Returns what prepares proofs under that root; made once for each root.

        Raises:
            MemberUnknownError: This node is no member.
        """
        if self.place is None:
            raise MemberUnknownError("this node is no member under the present root")
        if self._making is None:
            self._making = self._threads.patiently(_preparer, self.identity, self.place)
        return await asyncio.shield(self._making)

    async def prove_whole(self, external_nullifier: bytes, x: bytes, message_id: int) -> Proof:
        """Makes a proof without a preparer: sooner, where there is none yet.

        Raises:
            MemberUnknownError: This node is no member.
        """
        if self.place is None:
            raise MemberUnknownError("this node is no member under the present root")
        work = (self.identity, self.place, external_nullifier, x, message_id)
        return await self._threads.urgently(_prove, *work)


def _membership(identity: Identity, place: Place) -> Membership:
    return Membership.of(
        identity, limit=place.limit, siblings=place.siblings, index=place.index, root=place.root
    )


def _preparer(identity: Identity, place: Place) -> Preparer:
    return _membership(identity, place).preparer()


def _prove(
    identity: Identity, place: Place, external_nullifier: bytes, x: bytes, message_id: int
) -> Proof:
    return _membership(identity, place).prove(external_nullifier, x, message_id)
