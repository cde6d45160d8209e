"""Runs the mempool's machine in the ledger's thread, since it executes transactions there.

Each input is one piece of work at the tip, and the machine was told of exactly that tip before.
Where the tip moves between the two, the machine is told first and the input is given again.

Spec: docs/protocol/chain-mempool.md, MPL-21, MPL-22.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.mempool.checking import check_id
from logos_chain.core.mempool.mempool import Effect, Mempool, PassOn, Told
from logos_chain.core.mempool.types import Stage, Status
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.pool_inputs import PoolInput, PoolInputs, Step
from logos_chain.operations.rehearsing import TipRehearsal
from logos_chain.operations.told_chain import ToldChain
from logos_mantle.transactions import SignedTransaction

log = logging.getLogger(__name__)

TRIES: Final = 8
"""How often an input meets a tip that has just moved, before it is given up."""
RETRY_S: Final = 1.0
"""After the store did not give a block."""
MAX_SLEEP_S: Final = 60.0
"""A wall clock may be set: no timer rests on it for longer."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a step has brought, as it was seen in the ledger's thread."""

    effects: Sequence[Effect]
    waiting: dict[bytes, SignedTransaction]
    """Of what was told to be pending, by hash: what waits after the step."""
    checks: dict[bytes, bytes]
    """Of what is passed on: `check_id` by hash."""
    wake_ms: int | None


class PoolLane:
    """One machine and its inputs. Its effects are performed on the event loop, in order."""

    def __init__(
        self,
        follow: FollowOperations,
        chain: ToldChain,
        machine: Mempool,
        rehearsal: TipRehearsal,
        *,
        perform: Callable[[Effect, Done], None],
        unix_ms: Callable[[], int],
    ) -> None:
        """
        Args:
            follow: The chain.
            chain: What the machine was told of it: nothing yet.
            machine: It rehearses by `rehearsal`.
            rehearsal: Is shown the ledger of each step.
            perform: Performs an effect; never waits.
            unix_ms: The wall clock.
        """
        self._follow = follow
        self._chain = chain
        self._machine = machine
        self._rehearsal = rehearsal
        self._perform = perform
        self._unix_ms = unix_ms
        self._inputs = PoolInputs()
        self._news = asyncio.Event()
        self._tip = follow.tip
        self._wake_ms: int | None = None

    def put(self, one: PoolInput) -> bool:
        """Gives a transaction; False: there is no room for it."""
        self._news.set()
        return self._inputs.put(one)

    def put_first(self, one: PoolInput) -> None:
        """Gives an outcome, or a question of this node."""
        self._inputs.put_first(one)
        self._news.set()

    def look(self) -> None:
        """Looks at the chain and the clock."""
        self._news.set()

    async def begin(self, restore: Step) -> None:
        """Restores what was saved, before any other input."""
        await self._do_in_any_case(restore)

    async def run(self) -> None:
        """Gives the machine its inputs until it is cancelled."""
        while True:
            self._news.clear()
            await self._keep_up()
            one = self._inputs.pop()
            if one is None:
                await self._sleep()
                continue
            self._news.set()  # there may be more
            await self._give(one)

    async def _sleep(self) -> None:
        delay_s = MAX_SLEEP_S
        if self._wake_ms is not None:
            delay_s = min(delay_s, max(0, self._wake_ms - self._unix_ms()) / 1000)
        try:
            async with asyncio.timeout(delay_s):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _give(self, one: PoolInput) -> None:
        for _ in range(TRIES):
            if not self._chain.is_behind and await self._do(one.step, self._tip):
                one.ended()
                return
            await self._keep_up()
        if one.gave_up is not None:
            one.gave_up()
            return
        await self._do_in_any_case(one.step)
        one.ended()

    async def _keep_up(self) -> None:
        """Tells the machine where the tip is, what is final, and what time it is."""
        for attempt in range(TRIES):
            if not self._chain.is_behind:
                break
            try:
                move = await self._chain.next()
            except StoreFailedError as error:
                log.warning("blocks were not read for the mempool", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            step = partial(self._machine.moved, move.removed, move.added)
            if await self._do(step, move.tip, is_exact=attempt < TRIES - 1):
                self._chain.tell(move)
                self._tip = move.tip
        if final := self._chain.finals():
            await self._do_in_any_case(partial(self._machine.finalised, final))
        if self._wake_ms is not None and self._wake_ms <= self._unix_ms():
            await self._do_in_any_case(self._machine.tick)

    async def _do_in_any_case(self, step: Step) -> None:
        """Does a step although the tip may be another one: the next move looks at all again."""
        await self._do(step, self._follow.tip, is_exact=False)

    async def _do(self, step: Step, tip: TreeBlock, *, is_exact: bool = True) -> bool:
        """Does a step at the tip; False: that is another one by then, and nothing was done."""
        work = partial(self._worked, step, tip, self._unix_ms())
        if is_exact:
            done = await self._follow.at_this_tip(tip.id, work)
        else:
            done = (await self._follow.at_tip(work)).value
        if done is None:
            return False
        self._wake_ms = done.wake_ms
        for effect in done.effects:
            self._perform(effect, done)
        return True

    def _worked(self, step: Step, tip: TreeBlock, now_ms: int, ledger: Ledger) -> Done:
        """Does a step, in the ledger's thread."""
        with self._rehearsal.on(ledger, tip):
            effects = tuple(step(now_ms))
        waiting, checks = dict[bytes, SignedTransaction](), dict[bytes, bytes]()
        for each in effects:
            match each:
                case Told(identifier, Status(Stage.PENDING)):
                    if (there := self._machine.get(identifier)) is not None:
                        waiting[identifier] = there
                case PassOn(signed):
                    checks[signed.hash] = check_id(signed.encoded)
                case _:
                    pass
        return Done(effects, waiting, checks, self._machine.next_wake_ms())
