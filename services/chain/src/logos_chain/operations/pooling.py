"""The mempool of a node: judges transactions on the ledger at the tip, has their proofs verified,
gives them to leaders, and keeps them beyond a restart.

What is decided here is in core/mempool; how it comes to the ledger, in `pool_lane`.

Spec: docs/protocol/chain-mempool.md, MPL-3, MPL-9, MPL-20 to MPL-24.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_chain.core.mempool.checking import check_id
from logos_chain.core.mempool.errors import MempoolRefusal, Reason, submission_error
from logos_chain.core.mempool.mempool import Effect, Mempool, PassOn, Rejected, Told, Verify
from logos_chain.core.mempool.types import OWN, BlockLimits, Limits, Saved, Status
from logos_chain.core.node_ports import SavedTransactions
from logos_chain.core.ports import ChainStore
from logos_chain.operations.chain_events import Listener
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Network
from logos_chain.operations.pool_inputs import PoolInput
from logos_chain.operations.pool_lane import Done, PoolLane
from logos_chain.operations.pool_saving import PoolSaver
from logos_chain.operations.pool_view import PoolView
from logos_chain.operations.rehearsing import TipRehearsal
from logos_chain.operations.told_chain import ToldChain
from logos_chain.operations.verifying import Verifier
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.transactions import SignedTransaction
from logos_module.errors import ModuleDrainingError

_SMALL_BYTES: Final = 1 << 16
"""What is hashed at once, in 0.1 ms; more is hashed in a thread."""


class _StopError(Exception): ...


class MempoolOperations:
    """The mempool of one node. Enter `running` first, within that of `follow`."""

    def __init__(
        self,
        follow: FollowOperations,
        store: ChainStore,
        network: Network,
        *,
        verifier: Verifier,
        saved: SavedTransactions,
        unix_ms: Callable[[], int],
        limits: Limits | None = None,
    ) -> None:
        """
        Args:
            follow: The chain, which is running.
            store: Of the chain.
            network: Whose chain it is.
            verifier: Of obligations.
            saved: What waited at the last stop.
            unix_ms: The wall clock, the same as that of `follow`.
            limits: Of the machine; None: the usual.
        """
        limits = limits or Limits()
        self._follow = follow
        self._verifier = verifier
        self._saved = saved
        self._saver = PoolSaver(self._to_save, saved)
        self._view = PoolView(limits)
        rehearsal = TipRehearsal(network.parameters, network.clock)
        self._machine = Mempool(rehearsal, limits)
        self._lane = PoolLane(
            follow,
            ToldChain(follow, store, limits.size_bytes),
            self._machine,
            rehearsal,
            perform=self._perform,
            unix_ms=unix_ms,
        )
        self._outcomes: dict[bytes, asyncio.Future[Reason | None]] = {}
        """Of peers' transactions that are not decided, by check."""
        self._asked: dict[Ticket, asyncio.Future[bytes]] = {}
        self._choosing: set[asyncio.Future[Sequence[SignedTransaction]]] = set()
        self._tickets = map(Ticket, itertools.count(1))
        self._stop = asyncio.Event()
        self._is_restored = False
        self._is_over = False
        self.begin_after: Callable[[], Awaitable[object]] | None = None
        """Is waited for before what was saved is restored, and inputs are looked at (CON-52)."""
        self.pass_on: list[Callable[[SignedTransaction, str], None]] = []
        """Are told what waits from now on, and which peer it came from; `OWN`: it is this node's,
        to be published. They never wait and never fail."""
        self.told: list[Callable[[Told], None]] = []
        """Are told of each change of a status (MPL-17); never wait and never fail."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open, and saves what waits at its end.

        Raises:
            DiskFullError, StoreFailedError, ChainStoreDamagedError: What was saved cannot be read.
            ChainListenersFullError
        """
        saved = await self._saved.load()
        failure: Exception | None = None
        with self._follow.events.listen() as heard:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._run(saved, heard))
                    try:
                        yield
                    except Exception as error:  # noqa: BLE001 -- raised again, not in a group
                        failure = error
                    self._stop.set()
            finally:
                self._end()
                if self._is_restored:  # else what was saved before is still to be restored
                    await self._saver.save()
        if failure:
            raise failure

    async def _run(self, saved: Sequence[Saved], heard: Listener) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._hear(heard))
                self._tasks.create_task(self._work(saved))
                await self._stop.wait()
                raise _StopError
        except* _StopError:
            pass

    async def _work(self, saved: Sequence[Saved]) -> None:
        if self.begin_after is not None:
            await self.begin_after()
        await self._lane.begin(partial(self._machine.restore, saved))
        self._is_restored = True
        self._tasks.create_task(self._saver.run())
        await self._lane.run()

    async def _hear(self, heard: Listener) -> None:
        """Any event triggers a look at the chain; its content is not used."""
        while True:
            await heard.next()
            self._lane.look()

    # -- inputs --------------------------------------------------------------------------------

    async def received(self, raw: bytes, source: str) -> Reason | None:
        """Takes a peer's transaction, and returns once it is decided. Untrusted.

        Args:
            raw: As it came.
            source: The peer, not empty.

        Returns:
            Why it is not taken; None: it waits now, and can be passed on.

        Raises:
            ModuleDrainingError: The node stops.
        """
        if len(raw) > MAX_BODY_BYTES:
            return MempoolRefusal.MALFORMED
        check = await _check_of(raw)
        if self._is_over:
            raise _stopping()
        if check in self._outcomes:
            return MempoolRefusal.ALREADY_KNOWN
        outcome: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
        busy = partial(self._decide, check, MempoolRefusal.BUSY)
        step = partial(self._machine.received, raw, source)
        if not self._lane.put(PoolInput(step, gave_up=busy, source=source, size_bytes=len(raw))):
            return MempoolRefusal.BUSY
        self._outcomes[check] = outcome
        return await asyncio.shield(outcome)

    async def submit(self, raw: bytes) -> bytes:
        """Takes this node's own transaction, and returns its hash, 32 bytes, once it waits.

        Raises:
            SubmissionRefusedError: Why it is not taken.
            ModuleDrainingError: The node stops.
        """
        if len(raw) > MAX_BODY_BYTES:
            raise submission_error(MempoolRefusal.MALFORMED)
        if self._is_over:
            raise _stopping()
        ticket, error = next(self._tickets), submission_error(MempoolRefusal.BUSY)
        busy = partial(self._settle, Refuse(ticket, error))
        step = partial(self._machine.submit, ticket, raw)
        if not self._lane.put(PoolInput(step, gave_up=busy, source=OWN, size_bytes=len(raw))):
            raise error
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[ticket] = outcome
        return await asyncio.shield(outcome)

    async def choose(self, limits: BlockLimits) -> Sequence[SignedTransaction]:
        """Chooses the transactions of a block on the tip (MPL-12 to MPL-14).

        Returns none if the tip does not stand still; raises ModuleDrainingError.
        """
        if self._is_over:
            raise _stopping()
        chosen: list[SignedTransaction] = []
        outcome: asyncio.Future[Sequence[SignedTransaction]]
        outcome = asyncio.get_running_loop().create_future()

        def step(now_ms: int) -> Sequence[Effect]:
            chosen.extend(self._machine.choose(now_ms, limits))
            return ()

        def answered() -> None:
            if not outcome.done():
                outcome.set_result(chosen)

        self._choosing.add(outcome)
        self._lane.put_first(PoolInput(step, answered, answered))
        try:
            return await outcome
        finally:
            self._choosing.discard(outcome)

    # -- what there is -------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many transactions wait."""
        return len(self._view)

    @property
    def size_bytes(self) -> int:
        """Of the encoded transactions that wait."""
        return self._view.size_bytes

    def get(self, identifier: bytes) -> SignedTransaction | None:
        """Returns a waiting transaction by its hash, 32 bytes."""
        return self._view.get(identifier)

    def status(self, identifier: bytes) -> Status | None:
        """Returns the status of a transaction by its hash; None: it is not known here (MPL-19)."""
        return self._view.status(identifier)

    def waiting(self, after: int, limit: int) -> list[SignedTransaction]:
        """Returns a page of what waits: passes over `after`, returns at most `limit` and 1,000."""
        return self._view.page(after, limit)

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect, done: Done) -> None:
        match effect:
            case Verify():
                self._tasks.create_task(self._verify(effect))
            case Rejected(check, _, reason):
                self._decide(check, reason)
            case PassOn(signed, source):
                if source != OWN:
                    self._decide(done.checks[signed.hash], None)
                for pass_on in self.pass_on:
                    pass_on(signed, source)
            case Told(identifier, status):
                self._saver.changed()
                self._view.told(identifier, status, done.waiting.get(identifier))
                for told in self.told:
                    told(effect)
            case Answer() | Refuse():
                self._settle(effect)

    async def _verify(self, asked: Verify) -> None:
        unmet = await self._verifier.obligations(asked.obligations)
        report = self._machine.verified if unmet is None else self._machine.invalid
        self._lane.put_first(PoolInput(partial(report, asked.check), self._saver.changed))

    def _decide(self, check: bytes, reason: Reason | None) -> None:
        outcome = self._outcomes.pop(check, None)
        if outcome is not None and not outcome.done():
            outcome.set_result(reason)

    def _settle(self, settled: Answer | Refuse) -> None:
        outcome = self._asked.pop(settled.ticket, None)
        if outcome is None or outcome.done():
            return
        if isinstance(settled, Answer):
            outcome.set_result(_hash(settled.value))
        else:
            outcome.set_exception(settled.error)
            outcome.exception()  # it may be that no caller waits

    # -- the end -------------------------------------------------------------------------------

    async def _to_save(self) -> Sequence[Saved]:
        return (await self._follow.at_tip(lambda _ledger: self._machine.save())).value

    def _end(self) -> None:
        self._is_over = True
        ended: list[asyncio.Future[Any]] = [*self._outcomes.values(), *self._asked.values()]
        for each in (*ended, *self._choosing):
            if not each.done():
                each.set_exception(_stopping())
                each.exception()  # it may be that no caller waits


async def _check_of(raw: bytes) -> bytes:
    if len(raw) <= _SMALL_BYTES:
        return check_id(raw)
    return await asyncio.to_thread(check_id, raw)


def _hash(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a submission is answered by a hash")
    return value


def _stopping() -> ModuleDrainingError:
    return ModuleDrainingError("the module is about to stop")
