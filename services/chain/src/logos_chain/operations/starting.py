"""Brings a node into the network: its rule of fork choice, its first download, and its note of the
time, from which the next start sees how long it was away.

What is decided here is in core/consensus/starting.py.

Spec: docs/protocol/chain-consensus.md, CON-27 to CON-29, CON-49 to CON-52.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import ErrorKind, LogosError, StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.starting import (
    BeginDownload,
    Effect,
    NoteOnline,
    Past,
    Phase,
    Starting,
    Stop,
    UseRule,
)
from logos_chain.core.node_ports import ASKED, GIVEN_UP, START_OVER_MARK, NodeMarks
from logos_chain.core.ports import ChainStore
from logos_chain.operations.following import FollowOperations
from logos_module.driver import Driver

log = logging.getLogger(__name__)

ONLINE_MARK: Final = "online_ms"
"""When the node was online last: Unix time in milliseconds, 0 if it is to bootstrap."""

Download = Callable[[], Awaitable[bool]]
"""Downloads from the configured peers, and returns whether at least one was followed to its tip.
It may wait for their connections. LogosError: none was. It is cancelled when the node stops."""


class FirstDownloadFailedError(LogosError):
    """None of the configured peers could be followed (CON-28)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "IBD_FAILED"


class FirstDownloadRunsError(LogosError):
    """Rule and chain are left alone before the first download has ended (CON-27, CON-50)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CHAIN_DOWNLOADING"


async def past_of(marks: NodeMarks, store: ChainStore, *, is_forced: bool = False) -> Past:
    """Returns what a node knows of itself, before its chain is opened.

    Args:
        marks: Of the node.
        store: Of its chain.
        is_forced: The operator wants the bootstrap rule.

    Raises:
        StoreFailedError, ChainStoreDamagedError
    """
    final = await store.final(0, 2)
    is_anew = await marks.number(START_OVER_MARK) == GIVEN_UP
    return Past(len(final) < 2, await marks.number(ONLINE_MARK), is_forced, is_anew)


class StartOperations:
    """The way of one node into the network. Enter `running` first, within that of `follow`."""

    def __init__(
        self,
        follow: FollowOperations,
        parameters: Parameters,
        *,
        past: Past,
        marks: NodeMarks,
        download: Download | None,
        unix_ms: Callable[[], int],
        end: Callable[[], None] = lambda: None,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        Args:
            follow: The chain, opened by `starting_rule` of the same past.
            parameters: Of the network.
            past: What `past_of` returned at this start.
            marks: Of the node.
            download: From the configured peers; None: there are none, as for a network's first
                node, and so no first download.
            unix_ms: The wall clock, the same as that of `follow`.
            end: Has the node stop as on request; its kernel starts it again (KER-5).
            check: Raises why the chain is not to be given up now; None: nothing is asked.
        """
        self._follow = follow
        self._past = past
        self._marks = marks
        self._download = download
        self._machine = Starting(
            offline_grace_ms=parameters.offline_grace_ms,
            prolonged_bootstrap_ms=parameters.prolonged_bootstrap_ms,
        )
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)
        self._end = end
        self._check = check
        self._may_propose = False
        self.has_chain = asyncio.Event()
        """Set unless the chain was given up and is not downloaded yet: what was kept beside it
        is not to be judged by the genesis (CON-52)."""
        if not past.is_anew:
            self.has_chain.set()
        self._failure: FirstDownloadFailedError | None = None
        self.allowed: list[Callable[[bool], None]] = []
        """Are told whether the node may propose, at each change; not yet, at first. They never
        wait and never fail. `LeadOperations.allow` is for one of them."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Begins, and works for as long as the context is open.

        Raises:
            FirstDownloadFailedError: At any time; the body is cancelled then.
        """
        try:
            async with self._driver.running():
                self._driver.put(self._begin)
                yield
        except* FirstDownloadFailedError:
            pass  # raised below, not in a group
        if self._failure is not None:
            raise self._failure

    async def force_bootstrap(self) -> None:
        """Takes the bootstrap rule again, for its whole period, and beyond a restart (CON-27).

        Raises:
            FirstDownloadRunsError
            DiskFullError, StoreFailedError: It is in force, but a restart may not know.
        """
        if self.phase not in {Phase.PROLONGED, Phase.LISTENING}:
            raise FirstDownloadRunsError("the first download has not ended yet")
        self._driver.put(self._machine.force_bootstrap)  # first, so that no note comes after it
        await self._marks.put(ONLINE_MARK, 0)

    async def start_over(self) -> None:
        """Has the node give its chain up, and download it again (CON-50).

        The order is durable before anything else; then the node ends, and its next start obeys.

        Raises:
            FirstDownloadRunsError
            StartOverAloneError, StartOverCheckpointError, NetworkUnavailableError
            DiskFullError, StoreFailedError: Nothing was done, unless the order is on the disk.
        """
        if self.phase not in {Phase.PROLONGED, Phase.LISTENING}:
            raise FirstDownloadRunsError("the first download has not ended yet")
        if self._check is not None:
            await self._check()
        await self._marks.put(START_OVER_MARK, ASKED)
        log.warning("the node ends, to give its chain up and download it again")
        self._end()

    # -- what there is -------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """How far the node has come."""
        return self._machine.phase

    @property
    def rule(self) -> Rule:
        """The rule of fork choice that is in force."""
        return self._machine.rule

    @property
    def may_propose(self) -> bool:
        """Whether the node may make blocks."""
        return self._may_propose

    @property
    def online_at_ms(self) -> int | None:
        """When the prolonged bootstrap ends, Unix time; None outside of it."""
        return self._machine.online_at_ms

    # -- effects -------------------------------------------------------------------------------

    def _begin(self, now_ms: int) -> list[Effect]:
        return self._machine.begin(self._past, now_ms, has_peers=self._download is not None)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case UseRule(Rule.ONLINE):
                self._follow.go_online()
            case UseRule():
                self._follow.go_bootstrap()
            case BeginDownload():
                self._driver.start(self._downloading())
            case NoteOnline(now_ms):
                self._driver.start(self._note(now_ms))
            case Stop():
                what = "none of the configured peers could be followed"
                self._failure = FirstDownloadFailedError(what)
                self._driver.stop(self._failure)
        self._tell()

    def _tell(self) -> None:
        if self._may_propose != self._machine.may_propose:
            self._may_propose = self._machine.may_propose
            for each in self.allowed:
                each(self._may_propose)

    async def _downloading(self) -> None:
        try:
            is_done = self._download is None or await self._download()
        except LogosError as error:
            log.warning("the first download failed", extra={"error": str(error)})
            is_done = False
        if is_done and self._past.is_anew:
            await self._note_done()
        self._driver.report(self._machine.downloaded if is_done else self._machine.failed)

    async def _note_done(self) -> None:
        """The chain that was given up is here again: what was kept beside it is taken up."""
        try:
            await self._marks.put(START_OVER_MARK, 0)
        except StoreFailedError as error:  # the next start insists on a peer once more
            log.warning("it was not noted that the chain is here", extra={"error": str(error)})
        self.has_chain.set()

    async def _note(self, now_ms: int) -> None:
        if not self._machine.may_propose:  # a bootstrap was forced since
            return
        try:
            await self._marks.put(ONLINE_MARK, now_ms)
        except StoreFailedError as error:  # the next one is due in a minute
            log.warning("it was not noted that the node is online", extra={"error": str(error)})
