"""DST-21 to DST-23: runs of retention."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import StoreFailedError
from logos_delivery.core.archive.policies import KeepBytes, KeepCount, KeepTime, Policy
from logos_delivery.core.archive.retention import (
    BATCH,
    INTERVAL_MS,
    RETRY_MS,
    Delete,
    Effect,
    Find,
    Reclaim,
    Retention,
    place_of,
)
from logos_delivery.core.archive.types import Entry, Position
from logos_delivery.core.message import Message
from logos_delivery.store.memory import MemoryArchive

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/store.json").read_text(encoding="utf-8")
)
NOW = 1_800_000_000_000
TOPIC = "/a/1/b/c"


def entries(count: int, first_ns: int = 1) -> list[Entry]:
    return [
        Entry.of("/waku/2/rs/3/0", Message(bytes([number % 256]), TOPIC, timestamp_ns=number))
        for number in range(first_ns, first_ns + count)
    ]


async def run(machine: Retention, archive: MemoryArchive, now_ms: int) -> list[Effect]:
    """Obeys a run to its end; returns what it has asked for."""
    seen: list[Effect] = []
    effects = machine.tick(now_ms)
    while effects:
        (effect,) = effects
        seen.append(effect)
        match effect:
            case Find(policy):
                effects = machine.found(await place_of(archive, policy), now_ms)
            case Delete(before, limit):
                effects = machine.deleted(await archive.delete_before(before, limit), now_ms)
            case Reclaim():
                is_first = seen.count(Reclaim()) == 1
                effects = (machine.reclaimed_part if is_first else machine.reclaimed)(now_ms)
    return seen


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["capacity"], ids=lambda case: case["id"])
async def test_a_count_leaves_what_the_reference_leaves(case: dict[str, Any]) -> None:
    archive = MemoryArchive()
    machine = Retention([KeepCount(case["capacity"])], NOW)
    await archive.put(entries(case["messages"]))

    await run(machine, archive, NOW)

    assert await archive.count() == case["left"]
    assert await archive.newest_ns() == case["messages"]
    assert machine.removed == case["messages"] - case["left"]


async def test_a_count_does_not_act_before_its_overflow() -> None:
    archive = MemoryArchive()
    await archive.put(entries(129))

    seen = await run(Retention([KeepCount(100)], NOW), archive, NOW)

    assert seen == [Find(KeepCount(100))]
    assert await archive.count() == 129


async def test_a_time_deletes_in_batches_what_is_older() -> None:
    archive = MemoryArchive()
    cutoff_ns = (NOW - 60_000) * 1_000_000
    await archive.put(entries(2500, cutoff_ns - 2500))
    await archive.put(entries(10, cutoff_ns))
    machine = Retention([KeepTime(60)], NOW)

    seen = await run(machine, archive, NOW)

    before = Position(cutoff_ns, b"")
    assert seen == [*[Delete(before, BATCH)] * 3, Reclaim(), Reclaim()]
    assert await archive.count() == 10
    assert (machine.removed, machine.removed_at_ms) == (2500, NOW)


async def test_a_time_longer_than_since_1970_deletes_nothing() -> None:
    archive = MemoryArchive()
    await archive.put(entries(3))

    await run(Retention([KeepTime(1 << 52)], NOW), archive, NOW)

    assert await archive.count() == 3


@pytest.mark.property
@given(st.integers(0, 60), st.integers(1, 40), st.integers(1, 30_000))
async def test_each_policy_removes_what_it_does_not_keep(
    count: int, capacity: int, size_bytes: int
) -> None:
    archive = MemoryArchive()
    await archive.put(entries(count))
    policies: list[Policy] = [KeepCount(capacity), KeepBytes(size_bytes)]

    await run(Retention(policies, NOW), archive, NOW)

    left = await archive.count()
    one = entries(1)[0].size_bytes
    by_count = count if count < capacity * 13 // 10 else capacity + capacity * 3 // 10 // 2
    assert left == min(count, by_count, max(1, size_bytes // one))
    assert left == 0 or await archive.newest_ns() == count


async def test_runs_follow_each_other() -> None:
    archive = MemoryArchive()
    machine = Retention([KeepTime(60)], NOW)

    assert machine.next_wake_ms() == NOW
    await run(machine, archive, NOW)
    assert machine.next_wake_ms() == NOW + INTERVAL_MS
    assert machine.tick(NOW + INTERVAL_MS - 1) == []
    assert machine.tick(NOW + INTERVAL_MS) != []


def test_a_run_that_is_under_way_is_not_begun_again() -> None:
    machine = Retention([KeepTime(60), KeepCount(5)], NOW)
    machine.tick(NOW)

    assert machine.next_wake_ms() is None
    assert machine.tick(NOW + 10 * INTERVAL_MS) == []


def test_after_an_error_the_next_run_comes_soon_and_is_whole() -> None:
    machine = Retention([KeepTime(60), KeepCount(5)], NOW)
    first = machine.tick(NOW)

    assert machine.failed(StoreFailedError("disk"), NOW) == []

    assert machine.next_wake_ms() == NOW + RETRY_MS
    again = machine.tick(NOW + RETRY_MS)
    assert [type(one) for one in again] == [type(one) for one in first] == [Delete]
    assert machine.deleted(0, NOW) == [Find(KeepCount(5))]


def test_without_a_policy_there_is_no_run() -> None:
    machine = Retention([], NOW)

    assert machine.next_wake_ms() is None
    assert machine.tick(NOW) == []
