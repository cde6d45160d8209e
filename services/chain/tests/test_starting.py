"""CON-27 to CON-29, LEA-1: a node comes into its network, and the next start knows of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from chain_blocks import TWENTY
from chain_kept import KeptMarks
from chain_leading import Clock
from chain_memory import MemoryStore
from chain_world import TWO, Scripted, World, give, quiet, until

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.starting import NOTE_MS, Past, Phase, starting_rule
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading_switch import LEADING_MARK, LeadingSwitch
from logos_chain.operations.opening import Opening
from logos_chain.operations.starting import (
    ONLINE_MARK,
    Download,
    FirstDownloadFailedError,
    FirstDownloadRunsError,
    StartOperations,
    past_of,
)

DAY_MS = 24 * 60 * 60 * 1000
NOW_MS = 10**12


@dataclass
class StartNode:
    """What outlives a process."""

    world: World = field(
        default_factory=lambda: World(replace(TWENTY, prolonged_bootstrap_ms=DAY_MS))
    )
    clock: Clock = field(default_factory=lambda: Clock(NOW_MS))
    store: MemoryStore = field(default_factory=MemoryStore)
    marks: KeptMarks = field(default_factory=KeptMarks)
    allowed: list[bool] = field(default_factory=list)

    @asynccontextmanager
    async def running(
        self, download: Download | None = None, *, is_forced: bool = False
    ) -> AsyncIterator[tuple[StartOperations, FollowOperations]]:
        parameters = self.world.parameters
        past = await past_of(self.marks, self.store, is_forced=is_forced)
        rule = starting_rule(past, parameters.offline_grace_ms, self.clock())
        chain = await Opening(self.store, self.world.network).open(rule, self.clock)
        follow = FollowOperations(chain, Scripted(), self.clock)
        async with follow.running():
            start = StartOperations(
                follow,
                parameters,
                past=past,
                marks=self.marks,
                download=download,
                unix_ms=self.clock,
            )
            start.allowed.append(self.allowed.append)
            async with start.running():
                yield start, follow

    def is_noted(self) -> bool:
        """Whether it is noted that the node is online now."""
        return self.marks.numbers.get(ONLINE_MARK) == self.clock.ms

    def pass_time(self, start: StartOperations, passed_ms: int) -> None:
        self.clock.ms += passed_ms
        start._driver.put(start._machine.tick)


def rules(start: StartOperations, follow: FollowOperations) -> set[Rule]:
    """As the node tells it, and as the chain has it."""
    return {start.rule, follow._follower.rule}


async def well() -> bool:
    return True


async def test_from_the_genesis_to_online_and_back_after_a_short_stop() -> None:
    node = StartNode()

    async with node.running(well) as (start, follow):
        await until(lambda: start.phase is Phase.PROLONGED)
        assert start.online_at_ms == NOW_MS + DAY_MS
        assert rules(start, follow) == {Rule.BOOTSTRAP}
        node.pass_time(start, DAY_MS - 1)
        assert (node.allowed, start.may_propose) == ([], False)
        node.pass_time(start, 1)
        assert start.phase is Phase.LISTENING
        assert rules(start, follow) == {Rule.ONLINE}
        assert (node.allowed, start.may_propose) == ([True], True)
        node.pass_time(start, NOTE_MS)
        await until(node.is_noted)
        await give(follow, node.world.chain(node.world.root, "a", 22))
        await quiet(follow)
        assert len(node.store.final_blocks) == 3

    node.clock.ms += 20 * 60 * 1000
    async with node.running(well) as (start, follow):
        await until(lambda: start.phase is Phase.LISTENING)
        assert rules(start, follow) == {Rule.ONLINE}
        assert node.allowed == [True, True]
        await until(node.is_noted)

    node.clock.ms += 20 * 60 * 1000 + 1
    async with node.running() as (start, follow):
        await until(lambda: start.phase is Phase.PROLONGED)
        assert rules(start, follow) == {Rule.BOOTSTRAP}
        assert node.allowed == [True, True]


async def test_a_chain_that_has_but_its_genesis_is_bootstrapped_whatever_was_noted() -> None:
    node = StartNode()
    node.marks.numbers[ONLINE_MARK] = NOW_MS
    assert await past_of(node.marks, node.store) == Past(
        is_at_start=True, last_online_ms=NOW_MS, is_forced=False
    )

    async with node.running() as (start, follow):
        await give(follow, node.world.chain(node.world.root, "a", 30))
        assert start.phase is Phase.PROLONGED
        assert len(node.store.final_blocks) == 1
    assert (await past_of(node.marks, node.store)).is_at_start


async def test_the_first_node_of_a_network_is_online_at_once() -> None:
    node = StartNode(World(TWO))

    async with node.running() as (start, follow):
        await until(lambda: start.may_propose)
        await until(lambda: ONLINE_MARK in node.marks.numbers)
        assert rules(start, follow) == {Rule.ONLINE}
    assert node.allowed == [True]


async def test_nothing_is_proposed_while_it_downloads() -> None:
    node, ended = StartNode(World(TWO)), asyncio.Event()

    async def slow() -> bool:
        await ended.wait()
        return True

    async with node.running(slow) as (start, _):
        await until(lambda: start.phase is Phase.DOWNLOADING)
        node.pass_time(start, DAY_MS)
        assert start.phase is Phase.DOWNLOADING
        with pytest.raises(FirstDownloadRunsError):
            await start.force_bootstrap()
        assert node.allowed == []
        ended.set()
        await until(lambda: start.may_propose)


async def none() -> bool:
    return False


async def broken() -> bool:
    raise StoreFailedError("it failed")


@pytest.mark.parametrize("download", [none, broken])
async def test_a_node_that_can_follow_no_peer_ends(download: Download) -> None:
    node = StartNode()

    with pytest.raises(FirstDownloadFailedError) as raised:
        async with node.running(download):
            await asyncio.Event().wait()

    assert raised.value.reason == "IBD_FAILED"
    assert node.allowed == []
    assert node.marks.numbers == {}


async def test_a_download_is_stopped_with_the_node() -> None:
    node, stopped = StartNode(), asyncio.Event()

    async def endless() -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    async with node.running(endless) as (start, _):
        await until(lambda: start.phase is Phase.DOWNLOADING)
        await asyncio.sleep(0)
    assert stopped.is_set()


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(StoreFailedError):
        async with StartNode().running():
            raise StoreFailedError("of the body")


async def test_a_bootstrap_that_was_forced_outlives_a_restart() -> None:
    """CON-27."""
    node = StartNode(World(replace(TWO, prolonged_bootstrap_ms=DAY_MS)))
    async with node.running() as (start, follow):
        await until(lambda: start.phase is Phase.PROLONGED)
        node.pass_time(start, DAY_MS)
        await until(lambda: start.may_propose)
        await give(follow, node.world.chain(node.world.root, "a", 6))
        await quiet(follow)
        await start.force_bootstrap()
        assert start.phase is Phase.PROLONGED
        assert node.marks.numbers == {ONLINE_MARK: 0}
        assert rules(start, follow) == {Rule.BOOTSTRAP}
        assert node.allowed == [True, False]

    async with node.running() as (start, follow):
        await until(lambda: start.phase is Phase.PROLONGED)
        assert rules(start, follow) == {Rule.BOOTSTRAP}
        node.pass_time(start, DAY_MS)
        await until(node.is_noted)
    async with node.running(is_forced=True) as (start, follow):
        await until(lambda: start.phase is Phase.PROLONGED)
        assert rules(start, follow) == {Rule.BOOTSTRAP}


async def test_a_disk_that_takes_no_note_does_not_end_the_node() -> None:
    """CON-29."""
    node = StartNode(World(TWO))
    node.marks.fails = True

    async with node.running() as (start, follow):
        await until(lambda: start.may_propose)
        node.pass_time(start, NOTE_MS)
        assert start.may_propose
        with pytest.raises(StoreFailedError):
            await start.force_bootstrap()
        assert rules(start, follow) == {Rule.BOOTSTRAP}
        node.marks.fails = False
        node.pass_time(start, 0)
        await until(node.is_noted)


# -- the switch ------------------------------------------------------------------------------------


@dataclass
class Leader:
    switched: list[bool] = field(default_factory=list)

    def switch(self, *, is_on: bool) -> None:
        self.switched.append(is_on)


async def test_the_switch_of_leading_outlives_a_restart() -> None:
    """LEA-1."""
    marks, leader = KeptMarks(), Leader()
    switch = LeadingSwitch(marks, leader.switch)
    await switch.restore()
    assert switch.is_on
    await switch.turn(is_on=False)
    assert marks.numbers == {LEADING_MARK: 0}

    switch = LeadingSwitch(marks, leader.switch)
    await switch.restore()
    assert not switch.is_on
    await switch.turn(is_on=True)
    again = LeadingSwitch(marks, leader.switch)
    await again.restore()

    assert again.is_on
    assert leader.switched == [True, False, False, True, True]


async def test_what_is_switched_off_is_off_whatever_the_disk_does() -> None:
    marks, leader = KeptMarks(), Leader()
    switch = LeadingSwitch(marks, leader.switch)
    marks.fails = True

    for is_on in (False, True):
        with pytest.raises(StoreFailedError):
            await switch.turn(is_on=is_on)

    assert leader.switched == [False]
    assert not switch.is_on
