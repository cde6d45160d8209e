"""Rate limits: proofs of packets that come and leave, membership, budgets.

The rules are in core/rln/.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from logos_base.errors import LogosError, StoreFailedError
from logos_crypto.rln import Identity
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.rln.allocation import Allocated, Authentication, SharedSecret
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import RegistryUnavailableError
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.guard import Convict, Report
from logos_mixnet.core.rln.members import Members, MembersChanged
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.rln.ports import MembershipStore
from logos_mixnet.core.rln.records import Kind, Record
from logos_mixnet.core.rln.signing import HasSigned, Sign
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.core.rln.status import MembershipState, MembershipStatus
from logos_mixnet.operations.gossip import GossipOperations
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.operations.rln_allocation import (
    Allocate,
    AllocationProvider,
    request_allocation,
)
from logos_mixnet.operations.rln_checks import ProofChecks
from logos_mixnet.operations.rln_coordination import RlnCoordination
from logos_mixnet.operations.rln_members import MemberOperations
from logos_mixnet.operations.rln_proofs import Proofs
from logos_mixnet.operations.rln_scopes import Scopes, StoreOf
from logos_mixnet.operations.rln_standing import Standing
from logos_mixnet.operations.rln_threads import RlnThreads
from logos_mixnet.operations.streams import StreamOperations

log = logging.getLogger(__name__)

LOOK_EVERY_MS: Final = 1_000
"""The clock may be set: nothing waits for an epoch longer than this after it has begun."""
RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class RlnMember:
    """This node as a member."""

    identity: Identity
    peer_id: bytes
    sign: Sign
    has_signed: HasSigned
    limit: int
    epochs: Epochs
    is_new: bool = False
    """Whether its secret was certainly never used: then ids of the present epoch are."""


class RlnOperations:
    """The rate limits of one node. It is the mix's `PacketGuard`."""

    def __init__(
        self,
        member: RlnMember,
        store: MembershipStore,
        store_of: StoreOf,
        now_ms: Callable[[], int],
    ) -> None:
        self.member = member
        self.now_ms = now_ms
        self.threads = RlnThreads()
        self.standing = Standing(member.identity, self.threads)
        mix, epochs = Application(), member.epochs
        self.proofs = Proofs(
            mix, epochs, standing=self.standing, threads=self.threads, now_ms=now_ms
        )
        self.checks = ProofChecks(
            mix,
            epochs,
            threads=self.threads,
            now_ms=now_ms,
            convict=self._convict,
            report=self._report,
        )
        self.members = MemberOperations(store, self.threads, now_ms, changed=self._changed)
        self.scopes = Scopes(
            epochs,
            member.limit,
            standing=self.standing,
            threads=self.threads,
            store_of=store_of,
            now_ms=now_ms,
            convict=self._caught,
        )
        self.watchers: Inboxes[object, MembershipState] = Inboxes()
        self.convicted = 0
        self._mix_store = store_of(mix.identifier)
        self._tasks: asyncio.TaskGroup | None = None
        self._coordination: RlnCoordination | None = None
        self._allocate: Allocate | None = None
        self._provider: AllocationProvider | None = None

    async def load(self) -> None:
        """Takes over what is stored, and announces this node where that is how one registers.

        Raises:
            SecretLostError: It has announced another commitment before.
        """
        member = self.member
        self.threads.load_keys()
        new_in = None if member.is_new else member.epochs.at(self.now_ms())
        await self.proofs.load(self._mix_store, member.limit, new_in=new_in)
        if self.proofs.is_new:
            self.scopes.new_in = new_in
        make = partial(Members, Application(), member.epochs, member.limit, member.has_signed)
        commitment = member.identity.commitment
        await self.members.load(make, own_peer_id=member.peer_id, commitment=commitment)

    def join(
        self, gossip: GossipOperations, streams: StreamOperations, peering: PeeringOperations
    ) -> None:
        """Has it tell and hear other nodes."""
        self._streams = streams
        if self._allocate is not None:
            self._provider = AllocationProvider(streams, self._authentications, self._allocate)
        self._coordination = RlnCoordination(
            gossip, streams, peering, members=self.members, checks=self.checks
        )

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for each in (self.members.driver, self.checks, self.proofs, self.scopes):
                    tasks.create_task(each.run())
                tasks.create_task(self._follow_registry())
                tasks.create_task(self._look_now_and_then())
                if self._coordination is not None:
                    tasks.create_task(self._coordination.run())
                if self._provider is not None:
                    tasks.create_task(self._provider.run())
                if self.members.machine.is_open:
                    tasks.create_task(self._announce())
        finally:
            self._tasks = None
            self.threads.close()

    async def check(self, packet: bytes, proof: bytes) -> None:
        """Returns if a packet may be taken, or raises the error for which it is dropped."""
        await self.checks.check(packet, proof)

    async def prove(self, packet: bytes, purpose: Purpose) -> bytes:
        """Returns the proof of a packet that leaves, 301 bytes."""
        return await self.proofs.prove(packet, purpose)

    def is_fresh(self, proof: bytes) -> bool:
        """Says whether a proof of this node's own may still leave (RLN-38)."""
        return self.member.epochs.is_fresh(ProofFrame.decode(proof).epoch, self.now_ms())

    def foresee(self) -> None:
        """Has proofs prepared for what is known by now to leave, without waiting for `look`."""
        self.proofs.foresee()

    async def register(self) -> MembershipState:
        """Registers this node, in the way that its network has. Idempotent."""
        if self.state().status is MembershipStatus.NONE:
            if self.members.machine.is_open:
                await self._announce()
            else:
                await self.members.register(self.member.identity.commitment, self.member.limit)
        return self.state()

    async def request_allocation(self, peer_id: str, shared_secret: bytes) -> Allocated:
        """Asks another node to register this one."""
        commitment, limit = self.member.identity.commitment, self.member.limit
        by = SharedSecret(shared_secret)
        return await request_allocation(self._streams, peer_id, commitment, limit, by)

    def provide(self, allocate: Allocate, authentications: Sequence[Authentication]) -> None:
        """Has this node register others, if they are authenticated. Call it before `join`."""
        self._allocate = allocate
        self._authentications = {each.kind: each for each in authentications}

    def state(self) -> MembershipState:
        """Returns whether this node is a member."""
        commitment, place = self.member.identity.commitment, self.standing.place
        if self.members.machine.is_removed(commitment, self.member.peer_id):
            status = MembershipStatus.SLASHED
        elif place is not None:
            status = MembershipStatus.ACTIVE
        elif self.members.machine.is_registered(commitment):
            status = MembershipStatus.PENDING
        else:
            status = MembershipStatus.NONE
        return MembershipState(status, commitment, self.member.limit, place)

    @contextmanager
    def watch(self) -> Iterator[Inbox[MembershipState]]:
        """Reports this node's membership, first as it is, then whenever it changes."""
        last: list[MembershipState] = []

        def take() -> MembershipState | None:
            state = self.state()
            if last == [state]:
                return None
            last[:] = [state]
            return state

        with self.watchers.open(object(), take) as states:
            yield states

    def look(self) -> None:
        """Has everything look at the clock."""
        self.members.look()
        self.checks.look()
        self.proofs.look()
        self.scopes.look()

    def _changed(self, change: MembersChanged) -> None:
        self.standing.moved(change.roots, self.members.machine.place)
        self.checks.members_changed(change)
        self.proofs.look()
        self.scopes.members_changed(change)
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        for each in self.watchers:
            self.watchers.wake(each)

    async def _announce(self) -> None:
        member = self.member
        own = Announcement.sign(
            member.sign,
            peer_id=member.peer_id,
            identifier=Application().identifier,
            commitment=member.identity.commitment,
            limit=member.limit,
        )
        try:
            await self._take(Record(Kind.ANNOUNCEMENT, own.encode()))
        except LogosError as error:  # e.g. it was slashed, or there are too many members
            log.warning("this node is no member", extra={"error": str(error)})

    async def _take(self, record: Record) -> None:
        """Takes a record of this node's own, as soon as the disk takes it, and tells the others."""
        while True:
            try:
                await self.members.take(record)
                break
            except (StoreError, StoreFailedError, RegistryUnavailableError) as error:
                log.warning("own record not kept", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
        self._tell_watchers()
        if self._coordination is not None:
            await self._coordination.tell(record)

    def _convict(self, convict: Convict) -> None:
        self._caught(convict)
        if self._tasks is not None:
            self._tasks.create_task(self._slash(convict))

    def _caught(self, convict: Convict) -> None:
        self.convicted += 1
        log.warning("member caught", extra={"commitment": convict.commitment.hex()})

    async def _slash(self, convict: Convict) -> None:
        record = SlashRecord.sign(self.member.sign, self.member.peer_id, convict.evidence)
        try:
            await self._take(Record(Kind.SLASH, record.encode()))
        except LogosError as error:
            log.warning("conviction not taken", extra={"error": str(error)})

    def _report(self, report: Report) -> None:
        if self._coordination is not None and self._tasks is not None:
            self._tasks.create_task(self._coordination.report(report))

    async def _follow_registry(self) -> None:
        while True:
            try:
                await self.members.watch()
            except LogosError as error:
                log.warning("registry not followed", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _look_now_and_then(self) -> None:
        while True:
            self.look()
            epochs, now_ms = self.member.epochs, self.now_ms()
            left_ms = epochs.start_ms(epochs.at(now_ms) + 1) - now_ms
            await asyncio.sleep(min(left_ms + 1, LOOK_EVERY_MS) / 1000)
