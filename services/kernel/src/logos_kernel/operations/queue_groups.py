"""The queue groups of a node, each with its machine, and their dead letters (KER-37, KER-38)."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from logos_base.errors import StoreFailedError
from logos_base.topics import module_of
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.events import (
    PAGE,
    DeadLetter,
    Group,
    GroupMismatchError,
    Page,
    TooManyGroupsError,
    UnknownDeadLetterError,
)
from logos_kernel.core.gaps import Missed
from logos_kernel.core.ports import EventStore
from logos_kernel.core.queue_group import (
    Deliver,
    DropLetters,
    Fetch,
    GroupEffect,
    QueueGroup,
    SaveGroup,
)
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_GROUPS: Final = 256
MAX_GROUPS_OF_MODULE: Final = 32
UNUSED_MS: Final = 7 * 24 * 3_600_000
"""After so long without a member, a group makes room for another."""

MAX_LETTERS: Final = 1000
MAX_WAITING: Final = 1024
"""Messages that wait for a member: its deliveries, and notices of gaps, which are left out then."""

Read = Callable[[Sequence[str], int], Awaitable[Page]]


class Member:
    """One stream that takes events of a group."""

    def __init__(self, number: int, group: "RunningGroup") -> None:
        self.number = number
        self._group = group
        self._waiting: asyncio.Queue[Deliver | Missed] = asyncio.Queue()

    async def next(self) -> Deliver | Missed:
        """Returns what comes next."""
        return await self._waiting.get()

    async def ack(self, positions: Sequence[int]) -> None:
        """Settles events, or raises `NotInFlightError`."""
        await self._group.driver.ask(self._group.machine.ack, self.number, positions)

    async def nack(self, positions: Sequence[int], delay_ms: int) -> None:
        """Gives events back, or raises `NotInFlightError`."""
        machine = self._group.machine
        await self._group.driver.ask(machine.nack, self.number, positions, delay_ms)

    def put(self, one: Deliver | Missed) -> None:
        """Adds what is to be sent. The machine bounds deliveries."""
        if isinstance(one, Deliver) or self._waiting.qsize() < MAX_WAITING:
            self._waiting.put_nowait(one)


class RunningGroup:
    """A group, its machine, and its members."""

    def __init__(self, group: Group, read: Read, groups: "Groups") -> None:
        self.machine = QueueGroup(group)
        self.driver: Driver[GroupEffect] = Driver(
            self.machine, self._perform, _now_ms, failed=_log_bug
        )
        self.members: dict[int, Member] = {}
        self._read = read
        self._groups = groups

    def _perform(self, effect: GroupEffect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Fetch(after):
                self.driver.start(self._fetch(after))
            case Deliver(member):
                if member in self.members:
                    self.members[member].put(effect)
            case Missed():
                for one in self.members.values():
                    one.put(effect)
            case SaveGroup():
                self.driver.start(self._save(effect))
            case DropLetters(ids):
                self.driver.start(self._groups.drop(ids))
        return None

    async def _fetch(self, after: int) -> None:
        try:
            page = await self._read(self.machine.group.topics, after)
        except StoreFailedError as error:
            log.warning("events not read", extra={"why": str(error)})
            self.driver.report(self.machine.fetch_failed)
        else:
            self.driver.report(self.machine.fetched, after, page)

    async def _save(self, save: SaveGroup) -> None:
        try:
            await self._groups.save(save)
        except StateLockedError as error:
            self.driver.stop(error)
        except StoreFailedError as error:
            extra = {"group": save.group.name, "why": str(error)}
            log.warning("group not saved", extra=extra)
            self.driver.report(self.machine.save_failed, save)
        else:
            self.driver.report(self.machine.saved, save)


class Groups:
    """All groups. Their machines begin when they are first used."""

    def __init__(
        self,
        read: Read,
        store: EventStore,
        wall_ms: Callable[[], int],
        groups: Sequence[Group],
        letters: Sequence[tuple[int, str]],
    ) -> None:
        self._read = read
        self._store = store
        self._wall_ms = wall_ms
        self._stored = {group.name: group for group in groups}
        self._running: dict[str, RunningGroup] = {}
        self._letters = dict(letters)
        self._ids = itertools.count(max(self._letters, default=0) + 1)
        self._members = itertools.count(1)
        self._tasks = asyncio.TaskGroup()
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Serves until cancelled."""
        async with self._tasks:
            await asyncio.Event().wait()

    def news(self) -> None:
        """Tells the groups that the log has more."""
        for one in self._running.values():
            if one.members:
                one.driver.put(one.machine.news)

    @asynccontextmanager
    async def member(self, wanted: Group, room: int) -> AsyncIterator[Member]:
        """Joins a group for as long as the context is open; it is made if it is new.

        Args:
            wanted: Its name and topics; its place, if it is new.
            room: Unsettled events of this member, at most.

        Raises:
            GroupMismatchError: It reads other topics.
            TooManyGroupsError: There is no room for a new one.
        """
        async with self._turn:
            running = await self._open(wanted)
            member = Member(next(self._members), running)
            running.members[member.number] = member
        running.driver.put(running.machine.join, member.number, room, self._wall_ms())
        try:
            yield member
        finally:
            del running.members[member.number]
            running.driver.put(running.machine.leave, member.number, self._wall_ms())

    def letters_of(self, group: str) -> list[int]:
        """Returns the ids of dead letters, oldest first; of all groups for an empty name.

        `group` is a name, or `module/` for all of a module.
        """
        is_prefix = not group or group.endswith("/")
        return [
            id_
            for id_, name in self._letters.items()
            if (name.startswith(group) if is_prefix else name == group)
        ]

    async def letter(self, id_: int) -> DeadLetter | None:
        """Returns a dead letter; None if it has just been settled."""
        return await self._store.load_letter(id_)

    async def requeue(self, group: str, ids: Sequence[int]) -> int:
        """Gives dead letters to their group again; returns how many.

        Raises:
            UnknownDeadLetterError: Not all of them are of the group.
        """
        of_group = self.letters_of(group)
        strange = [one for one in ids if one not in of_group]
        if strange or not of_group:
            raise UnknownDeadLetterError(f"{group} has no dead letter {strange[0] if ids else ''}")
        found = [await self._store.load_letter(one) for one in ids or of_group[:PAGE]]
        letters = [one for one in found if one is not None]
        async with self._turn:
            running = await self._open(self._stored[group])
        running.driver.put(running.machine.requeue, letters)
        return len(letters)

    async def save(self, save: SaveGroup) -> None:
        """Stores a group, and what it has buried; raises what stores raise."""
        letters = [
            DeadLetter(next(self._ids), save.group.name, event, refusals)
            for event, refusals in save.buried
        ]
        await self._store.save_group(save.group, letters)
        self._stored[save.group.name] = save.group
        self._letters |= {one.id: one.group for one in letters}
        if len(self._letters) > MAX_LETTERS:
            surplus = list(self._letters)[: len(self._letters) - MAX_LETTERS]
            log.warning("dead letters dropped", extra={"count": len(surplus)})
            await self.drop(surplus)

    async def drop(self, ids: Sequence[int]) -> None:
        """Removes dead letters; if that fails, they stay."""
        try:
            await self._store.delete_letters(ids)
        except StoreFailedError as error:
            log.warning("dead letters not removed", extra={"why": str(error)})
            return
        for id_ in ids:
            self._letters.pop(id_, None)

    async def _open(self, wanted: Group) -> RunningGroup:
        known = self._stored.get(wanted.name)
        if known is not None and known.topics != wanted.topics:
            raise GroupMismatchError(f"group {wanted.name} reads {', '.join(known.topics)}")
        if known is None:
            await self._make_room(module_of(wanted.name))
            await self._store.save_group(wanted)
            known = self._stored[wanted.name] = wanted
        if wanted.name not in self._running:
            running = RunningGroup(known, self._read, self)
            self._running[wanted.name] = running
            self._tasks.create_task(running.driver.run())
        return self._running[wanted.name]

    async def _make_room(self, owner: str) -> None:
        """Removes the group that was unused for longest, if there are too many."""
        of_owner = [name for name in self._stored if module_of(name) == owner]
        full = of_owner if len(of_owner) >= MAX_GROUPS_OF_MODULE else list(self._stored)
        if len(of_owner) < MAX_GROUPS_OF_MODULE and len(self._stored) < MAX_GROUPS:
            return
        idle = [name for name in full if not self._has_members(name)]
        oldest = min(idle, key=lambda name: self._stored[name].used_at_ms, default=None)
        if oldest is None or self._stored[oldest].used_at_ms > self._wall_ms() - UNUSED_MS:
            raise TooManyGroupsError(
                f"a module has {MAX_GROUPS_OF_MODULE} groups, a node {MAX_GROUPS}; one goes after"
                " a week without members"
            )
        await self._store.delete_group(oldest)
        del self._stored[oldest]
        self._letters = {id_: name for id_, name in self._letters.items() if name != oldest}
        if running := self._running.pop(oldest, None):
            running.driver.stop()

    def _has_members(self, name: str) -> bool:
        return name in self._running and bool(self._running[name].members)


def _log_bug(error: Exception) -> None:
    log.error("effect failed", exc_info=error)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
