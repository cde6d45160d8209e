"""Sending for the applications of this node. The rules are in core/sending/ (DSN-1 to DSN-10)."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import LogosError, MessageKnownError, NoNeighboursError
from logos_delivery.core.applications import Applications, Asked, Saved
from logos_delivery.core.errors import BudgetSpentError, KeyReusedError, RequestUnknownError
from logos_delivery.core.ports import Proofs
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import (
    AskByMix,
    AskStore,
    Effect,
    Prove,
    Push,
    Save,
    SendRules,
)
from logos_delivery.core.sending.outcomes import PushCode, Route
from logos_delivery.core.sending.request import Outgoing, Request
from logos_delivery.core.sending.sending import Sending
from logos_delivery.operations.groups import Groups
from logos_module.driver import Driver

MAX_KEY_BYTES: Final = 64
MAX_GROUP: Final = 256
"""Requests that are stored in one transaction."""

Pushing = Callable[[str, bytes], Awaitable[tuple[int, str] | None]]
"""Gives a message to other nodes by one route: takes its pubsub topic and its bytes; returns None
once one has it, or a `PushCode` and why not. MessageKnownError: they have had the same bytes."""
Present = Callable[[tuple[bytes, ...]], Awaitable[frozenset[bytes]]]
"""Asks a store node which messages it has; LogosError: none could be asked."""


class SendOperations:
    """The requests of one node. Enter `running` first."""

    def __init__(
        self,
        applications: Applications,
        proofs: Proofs,
        rules: SendRules,
        budget: RateBudget,
        unix_ms: Callable[[], int],
        *,
        told: Callable[[], None],
    ) -> None:
        """`told` is called whenever an event was appended."""
        self._applications = applications
        self._proofs = proofs
        self._unix_ms = unix_ms
        self._told = told
        self._machine = Sending(rules, budget)
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)
        self._unsaved: Groups[Saved] = Groups(self._save, max_size=MAX_GROUP)
        self._asked: dict[str, Asked] = {}
        """Keys of requests that are not stored yet."""
        self._keys: dict[str, asyncio.Lock] = {}
        self.routes: dict[Route, Pushing] = {}
        self.present: Present | None = None
        self.present_by_mix: Present | None = None
        self.listeners: list[Callable[[Request], None]] = []
        """Are told of requests that have come further, once that is stored."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Goes on with what was accepted before, and works for as long as the context is open."""
        pending = await self._applications.pending()
        async with self._driver.running(), asyncio.TaskGroup() as tasks:
            saving = tasks.create_task(self._unsaved.run())
            self._driver.put(self._machine.load, pending)
            yield
            saving.cancel()

    async def send(self, outgoing: Outgoing, key: str = "") -> Request:
        """Accepts a message; it is durable when this returns.

        Raises:
            KeyReusedError: The key was given to another message.
            SendsFullError, DiskFullError, StoreFailedError
        """
        if not key:
            return await self._accept(outgoing, None)
        digest = _digest_of(outgoing)
        lock = self._keys.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = await self._applications.request_of(key)
                if known is None:
                    return await self._accept(outgoing, Asked(key, digest))
        finally:
            if not lock.locked():
                self._keys.pop(key, None)
        request, asked_digest = known
        if asked_digest != digest:
            raise KeyReusedError("the key was given to another message")
        return request

    async def request(self, request_id: str) -> Request:
        """Returns a request as it stands; raises RequestUnknownError."""
        found = self._machine.status(request_id) or await self._applications.request(request_id)
        if found is None:
            raise RequestUnknownError(f"no request {request_id[:64]!r}, or it has long ended")
        return found

    async def _accept(self, outgoing: Outgoing, asked: Asked | None) -> Request:
        request_id = secrets.token_hex(16)
        if asked is not None:
            self._asked[request_id] = asked
        try:
            accepted: Request = await self._driver.ask(self._machine.accept, request_id, outgoing)
        finally:
            self._asked.pop(request_id, None)
        return accepted

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Save():
                request = effect.request
                asked = self._asked.get(request.request_id)  # now: its caller may leave
                self._unsaved.put(Saved(request, effect.event, asked))
            case Prove():
                self._driver.start(self._prove(effect))
            case Push():
                self._driver.start(self._push(effect))
            case AskStore(hashes):
                self._driver.start(self._ask_store(hashes))
            case AskByMix(request_id, message_hash):
                self._driver.start(self._ask_by_mix(request_id, message_hash))

    async def _save(self, saves: list[Saved]) -> None:
        try:
            await self._applications.save(saves, self._unix_ms())
        except LogosError as error:
            for one in saves:
                self._driver.report(self._machine.unsaved, one.request.request_id, error)
            return
        told = [one.request for one in saves if one.event is not None]
        if told:
            self._told()
        for one in saves:
            self._driver.report(self._machine.saved, one.request.request_id)
        for request in told:
            for listener in self.listeners:
                listener(request)

    async def _prove(self, effect: Prove) -> None:
        name, machine = effect.request_id, self._machine
        try:
            proof = await self._proofs.prove(effect.identifier, effect.signal)
        except BudgetSpentError as error:
            self._driver.report(machine.spent, name, str(error))
        except LogosError as error:
            self._driver.report(machine.unproven, name, str(error))
        else:
            self._driver.report(machine.proven, name, proof)

    async def _push(self, effect: Push) -> None:
        name, machine = effect.request_id, self._machine
        try:
            outcome = await self._pushed(effect)
        except MessageKnownError:
            self._driver.report(machine.known, name)
            return
        if outcome is None:
            self._driver.report(machine.taken, name)
        else:
            self._driver.report(machine.untaken, name, *outcome)

    async def _pushed(self, effect: Push) -> tuple[int, str] | None:
        pushing = self.routes.get(effect.route)
        if pushing is None:
            return PushCode.SERVICE_NOT_AVAILABLE, f"this node has no way by {effect.route.value}"
        try:
            return await pushing(effect.pubsub_topic, effect.raw)
        except NoNeighboursError as error:
            return PushCode.NO_PEERS_TO_RELAY, str(error)
        except MessageKnownError:
            raise
        except LogosError as error:
            return PushCode.NO_ANSWER, str(error)

    async def _ask_by_mix(self, request_id: str, message_hash: bytes) -> None:
        found = await _asked(self.present_by_mix, (message_hash,))
        is_stored = None if found is None else message_hash in found
        self._driver.report(self._machine.asked, request_id, is_stored)

    async def _ask_store(self, hashes: tuple[bytes, ...]) -> None:
        found = await _asked(self.present, hashes)
        if found is None:
            self._driver.report(self._machine.unasked)
        else:
            self._driver.report(self._machine.stored, found)


async def _asked(present: Present | None, hashes: tuple[bytes, ...]) -> frozenset[bytes] | None:
    """What a store node has of these; None: none could be asked."""
    try:
        return None if present is None else await present(hashes)
    except LogosError:
        return None


def _digest_of(outgoing: Outgoing) -> bytes:
    one = outgoing.message
    parts = (one.content_topic.encode(), one.payload, one.meta)
    digest = hashlib.sha256(bytes([outgoing.via_mix, one.is_ephemeral]))
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
