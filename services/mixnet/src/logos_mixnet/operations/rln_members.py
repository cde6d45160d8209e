"""Members: who announced itself or is registered, who was slashed, which roots are accepted.

The rules are in core/rln/members.py.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from logos_base.errors import LogosError
from logos_mixnet.core.rln.errors import SecretLostError
from logos_mixnet.core.rln.members import (
    Effect,
    Members,
    MembersChanged,
    PlantTree,
    SaveAnnouncement,
    SaveSlash,
    plant,
)
from logos_mixnet.core.rln.ports import MembershipStore, Registry
from logos_mixnet.core.rln.records import Kind, Record, digest
from logos_mixnet.operations.rln_threads import RlnThreads
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MakeMembers = Callable[[Registry], Members]


class MemberOperations:
    """The members, as this node knows them."""

    def __init__(
        self,
        store: MembershipStore,
        threads: RlnThreads,
        now_ms: Callable[[], int],
        *,
        changed: Callable[[MembersChanged], None],
    ) -> None:
        self._store = store
        self._threads = threads
        self._now_ms = now_ms
        self._changed = changed

    async def load(self, make: MakeMembers, *, own_peer_id: bytes, commitment: bytes) -> None:
        """Takes over what is stored.

        Raises:
            SecretLostError: This node has announced another commitment before.
        """
        registry = await self._store.load()
        own = (each for each in registry.announced if each.peer_id == own_peer_id)
        if any(each.commitment != commitment for each in own):
            raise SecretLostError(
                "this node has announced another commitment than that of its secret: restore"
                " rln.key from a backup, or begin with a new identity"
            )
        self.machine = make(registry)
        self.driver: Driver[Effect] = Driver(self.machine, self._perform, self._now_ms)
        self._slashes = {each.evidence.identity().commitment: each for each in registry.records}

    def records(self) -> Sequence[Record]:
        """Returns all announcements and slashes that another node needs for the same members."""
        announced = [
            Record(Kind.ANNOUNCEMENT, each.encode()) for each in self.machine.announcements
        ]
        slashed = [Record(Kind.SLASH, self._slashes[each].encode()) for each in self._slashed()]
        return announced + slashed

    def digest(self) -> bytes:
        """Returns what says whether another node has the same members."""
        return digest(self.machine.outcome, self._slashed())

    async def take(self, record: Record) -> bool:
        """Takes a record of any origin. Returns whether it was new, or raises why it is refused.

        It is durable then.
        """
        step = self.machine.announced if record.kind is Kind.ANNOUNCEMENT else self.machine.slashed
        is_new: bool = await self.driver.ask(step, record.raw)
        return is_new

    async def register(self, commitment: bytes, limit: int) -> None:
        """Asks the registry for a membership."""
        await self._store.register(commitment, limit)

    async def watch(self) -> None:
        """Follows a registry that others change, until cancelled."""
        async for registry in self._store.watch():
            self.driver.put(self.machine.registered, registry)

    def look(self) -> None:
        """Takes note that time has passed."""
        self.driver.put(self.machine.tick)

    def _slashed(self) -> Sequence[bytes]:
        """Slashes of commitments that a peer may use; of others it does not matter."""
        return [each for each in self._slashes if self.machine.is_registered(each)]

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case MembersChanged():
                self._changed(effect)
            case PlantTree():
                self.driver.start(self._plant(effect))
            case SaveAnnouncement() | SaveSlash():
                return self._save(effect)
        return None

    async def _plant(self, wanted: PlantTree) -> None:
        tree = await self._threads.urgently(plant, wanted)
        self.driver.report(self.machine.planted, wanted, tree)

    async def _save(self, save: SaveAnnouncement | SaveSlash) -> None:
        machine, report = self.machine, self.driver.report
        try:
            match save:
                case SaveAnnouncement(_, announcement, displaced, forgotten):
                    await self._store.save_announcement(announcement, displaced, forgotten)
                case SaveSlash(_, record, commitment):
                    await self._store.save_slash(record, commitment)
        except LogosError as error:  # e.g. a full disk, or a registry that is away
            log.warning("member not stored", extra={"error": str(error)})
            report(machine.not_saved, save, error)
        else:
            if isinstance(save, SaveSlash):
                self._slashes[save.commitment] = save.record
                report(machine.slash_saved, save)
            else:
                for each in save.forgotten:
                    self._slashes.pop(each, None)
                report(machine.announcement_saved, save)
