"""Proofs of one application's messages: an id each, and a proof that was prepared for it.

The rules are in core/rln/message_ids.py and core/rln/prepared.py.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from logos_base.errors import LogosError, StoreFailedError
from logos_crypto import rln
from logos_crypto.rln import Preparer, Proof, RateLimitProof
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import MemberUnknownError
from logos_mixnet.core.rln.message_ids import Effect, MessageIds, Purpose, Reserved, Save, Slot
from logos_mixnet.core.rln.ports import MessageIdStore
from logos_mixnet.core.rln.prepared import Departures, ProofPool, Ready
from logos_mixnet.operations.rln_standing import Standing
from logos_mixnet.operations.rln_threads import RlnThreads
from logos_module.driver import Driver

log = logging.getLogger(__name__)

NEW_WITHOUT: Final = 64
"""Epochs that a new store does not use: the present one, and those before."""
TRIES: Final = 3
"""Preparations of one id, if the members change while it is made."""


class Proofs:
    """The budget of one application, and the proofs of what it is spent on."""

    def __init__(
        self,
        application: Application,
        epochs: Epochs,
        *,
        standing: Standing,
        threads: RlnThreads,
        now_ms: Callable[[], int],
    ) -> None:
        self.application = application
        self._epochs = epochs
        self._standing = standing
        self._threads = threads
        self._now_ms = now_ms
        self.departures: Departures | None = None
        """What is known to leave; None: nothing is."""
        self._news = asyncio.Event()
        self._preparing: dict[Slot, asyncio.Future[Ready]] = {}

    async def load(self, store: MessageIdStore, limit: int, *, new_in: int | None) -> None:
        """Takes over what was reserved.

        Args:
            store: Of this application.
            limit: Message ids in an epoch.
            new_in: The epoch that is not used, with those before, if the store holds nothing
                (RLN-26); None: all are.
        """
        self._store = store
        reserved, floor = await store.load()
        self.is_new = not reserved and floor < 0
        if self.is_new and new_in is not None:
            before = range(max(0, new_in - NEW_WITHOUT + 1), new_in + 1)
            reserved = [Reserved(epoch, limit) for epoch in before]
        self.ids = MessageIds(limit, self._epochs, reserved, floor)
        self.pool = ProofPool(self._epochs, limit)
        self.driver: Driver[Effect] = Driver(self.ids, self._perform, self._now_ms)

    async def run(self) -> None:
        """Hands ids out, and keeps proofs prepared, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.driver.run())
            tasks.create_task(self._keep_prepared())

    async def prove(self, signal: bytes, purpose: Purpose) -> bytes:
        """Spends an id on a message; returns the proof, 301 bytes."""
        self._standing.check()  # before an id is spent
        slot: Slot = await self.driver.ask(self.ids.take, purpose)
        ready = self.pool.take(slot, self._standing.roots)
        self._news.set()
        x = rln.signal_x(signal)
        if ready is None:
            proof = await self._prove_now(slot, x)
        else:
            proof = ready.prepared.finish(x)
        return RateLimitProof.of(proof, rln.epoch_bytes(slot.epoch)).to_bytes()

    def look(self) -> None:
        """Takes note that time has passed, or that the members have changed."""
        self.driver.put(self.ids.tick)
        self._news.set()

    def foresee(self) -> None:
        """Takes note that more is known of what is going to leave."""
        self._news.set()

    async def _prove_now(self, slot: Slot, x: bytes) -> Proof:
        external_nullifier = self.application.external_nullifier(slot.epoch)
        for _ in range(TRIES):
            making = self._preparing.get(slot)
            if making is None and not self._standing.has_preparer:
                proof = await self._standing.prove_whole(external_nullifier, x, slot.message_id)
                if proof.root in self._standing.roots:
                    return proof
                continue
            if making is None:
                preparer = await self._standing.preparer()
                making = self._threads.urgently(self._prepare, preparer, slot)
            ready = await asyncio.shield(making)
            if ready.root in self._standing.roots:
                return ready.prepared.finish(x)
        raise MemberUnknownError("the members changed faster than a proof is made")

    async def _keep_prepared(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while await self._prepare_next():
                    pass
            except LogosError as error:  # it is no member any more
                log.info("no proofs are prepared", extra={"error": str(error)})

    async def _prepare_next(self) -> bool:
        now_ms = self._now_ms()
        self.pool.keep(self.ids, self._standing.roots, now_ms)
        if not self._standing.is_member:
            return False
        slot = self.pool.missing(self.ids, now_ms, self.departures)
        if slot is None:
            return False
        preparer = await self._standing.preparer()
        making = self._preparing[slot] = self._threads.patiently(self._prepare, preparer, slot)
        try:
            ready = await asyncio.shield(making)
            if not self.ids.is_taken(slot):  # a message that took it waited for this proof
                self.pool.put(slot, ready)
        finally:
            del self._preparing[slot]
        return True

    def _prepare(self, preparer: Preparer, slot: Slot) -> Ready:
        external_nullifier = self.application.external_nullifier(slot.epoch)
        return Ready(preparer.root, preparer.prepare(external_nullifier, slot.message_id))

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        assert isinstance(effect, Save)  # noqa: S101 -- answers are the driver's
        return self._save(effect)

    async def _save(self, save: Save) -> None:
        try:
            await self._store.save(save)
        except (StoreError, StoreFailedError) as error:  # e.g. a full disk: no id is handed out
            log.warning("message ids not reserved", extra={"error": str(error)})
            self.driver.report(self.ids.not_saved, save, error)
        else:
            self.driver.report(self.ids.saved, save)
