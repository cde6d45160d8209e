"""DST-41 to DST-43: fetching what was missed, without a network between the nodes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from logos_base.errors import ConfigError
from logos_delivery.config import parse
from logos_delivery.core.archive import resuming, wire
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light.rates import UNLIMITED, ServiceLimits
from logos_delivery.core.message import Message, decode
from logos_delivery.core.relay.errors import (
    RateLimitProofNotJudgedError,
    RateLimitProofRefusedError,
    RateLimitProofStaleError,
)
from logos_delivery.operations.history import HistoryOperations, StoreAnswers
from logos_delivery.operations.resuming import MISSING_SINCE, ResumeOperations
from logos_delivery.store.memory import MemoryArchive

SHARD = "/waku/2/rs/3/0"


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def old(number: int, *, age_s: int = 7_200, **changes: Any) -> Entry:
    stamp = time.time_ns() - age_s * 10**9
    return Entry.of(SHARD, Message(b"%d" % number, "/a/1/b/c", timestamp_ns=stamp, **changes))


class StoreNodes:
    """`Requests` and `Services` towards store nodes; those without an archive do not answer."""

    def __init__(self, **archives: MemoryArchive | None) -> None:
        self._archives = archives
        self.asked: list[str] = []

    async def find(self, service: str) -> Sequence[str]:
        assert service == wire.PROTOCOL
        return list(self._archives)

    async def connected(self, service: str) -> Sequence[str]:
        return await self.find(service)

    async def ask(self, peer: str, _protocol: str, request: bytes, *, timeout_s: float) -> bytes:
        self.asked.append(peer)
        archive = self._archives[peer]
        if archive is None:
            raise PeerFailedError(f"{peer} is gone")
        answers = StoreAnswers(archive, ServiceLimits(UNLIMITED), lambda: 0)
        answer = await answers(peer, request)
        assert answer is not None
        return answer


class Notes:
    """`Notes` in memory."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.is_complete = asyncio.Event()

    async def note(self, name: str, value: int) -> None:
        self.values[name] = value
        if not value:
            self.is_complete.set()

    async def noted(self, name: str) -> int | None:
        return self.values.get(name)


class Resumed:
    """A node that comes back with what it kept."""

    def __init__(self, nodes: StoreNodes, notes: Notes, check: Any = None) -> None:
        self.archive, self.notes = MemoryArchive(), notes
        ports: Any = (nodes, nodes)
        self.history = HistoryOperations(self.archive, *ports, time.time_ns)
        self.told: list[Entry] = []
        self.history.listeners.append(self.told.extend)
        self.operations = ResumeOperations(self.archive, notes, self.history, unix_ms, check=check)

    async def until_complete(self) -> None:
        async with self.operations.running(), asyncio.timeout(30):
            await self.notes.is_complete.wait()


async def archive_of(*entries: Entry) -> MemoryArchive:
    archive = MemoryArchive()
    await archive.put(entries)
    return archive


async def test_what_came_while_the_node_was_away_is_kept_and_told_of() -> None:
    before, missed = old(1, age_s=9_000), [old(number) for number in range(2, 252)]
    nodes = StoreNodes(other=await archive_of(old(0, age_s=9_500), before, *missed))
    node = Resumed(nodes, Notes())
    await node.archive.put([before])

    await node.until_complete()

    hashes = [entry.hash for entry in missed]
    assert await node.archive.present(hashes) == frozenset(hashes)
    assert await node.archive.count() == 251  # nothing of before
    assert {entry.hash for entry in node.told} >= set(hashes)
    assert nodes.asked == ["other"] * 3


async def test_another_store_node_is_asked_where_one_does_not_answer() -> None:
    one = old(1)
    nodes = StoreNodes(gone=None, away=None, other=await archive_of(one))
    node = Resumed(nodes, Notes())
    await node.archive.put([old(0, age_s=9_000)])

    await node.until_complete()

    assert await node.archive.present([one.hash])


async def test_a_run_that_was_cut_off_is_continued_though_newer_messages_came() -> None:
    missed, newer = old(1), old(2, age_s=10)
    notes = Notes()
    await notes.note(MISSING_SINCE, time.time_ns() - 9_000 * 10**9)
    node = Resumed(StoreNodes(other=await archive_of(missed, newer)), notes)
    await node.archive.put([newer])

    await node.until_complete()

    assert await node.archive.present([missed.hash])


async def test_an_archive_that_kept_nothing_has_missed_nothing() -> None:
    nodes = StoreNodes(other=await archive_of(old(1)))
    node = Resumed(nodes, Notes())

    async with node.operations.running():
        await asyncio.sleep(0.01)

    assert (nodes.asked, await node.archive.count()) == ([], 0)


async def test_only_messages_with_a_valid_proof_come_in_and_others_are_counted() -> None:
    good, bad = old(1), old(2)

    async def check(_pubsub_topic: str, raw: bytes) -> None:
        if decode(raw).payload == b"2":
            raise RateLimitProofRefusedError("not valid")

    ephemeral = old(3, is_ephemeral=True)
    node = Resumed(StoreNodes(other=await archive_of(good, bad, ephemeral)), Notes(), check)
    await node.archive.put([old(0, age_s=9_000)])

    await node.until_complete()

    present = await node.archive.present([good.hash, bad.hash, ephemeral.hash])
    assert present == {good.hash}
    assert dict(node.history.refused) == {
        RateLimitProofRefusedError.reason: 1,
        "EPHEMERAL": 1,
    }


async def test_a_history_whose_proofs_are_all_too_old_ends_the_run_with_nothing_kept() -> None:
    """DST-43: more than a page; none of it is asked for again."""
    missed, notes = [old(number) for number in range(1, 152)], Notes()

    async def check(_pubsub_topic: str, raw: bytes) -> None:
        if int(decode(raw).payload) % 2:
            raise RateLimitProofRefusedError("an epoch too long ago")
        raise RateLimitProofStaleError("a root that is not accepted any more")

    node = Resumed(StoreNodes(other=await archive_of(*missed)), notes, check)
    await node.archive.put([old(0, age_s=9_000)])

    await node.until_complete()

    assert (await node.archive.count(), node.told) == (1, [])
    assert await notes.noted(MISSING_SINCE) == 0
    assert dict(node.history.refused) == {
        RateLimitProofRefusedError.reason: 76,
        RateLimitProofStaleError.reason: 75,
    }


async def test_a_message_whose_proof_cannot_be_judged_now_is_asked_for_again() -> None:
    """DST-43."""
    one, tries = old(1), 0

    async def check(_pubsub_topic: str, _raw: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RateLimitProofNotJudgedError("the mixnet does not answer")

    node = Resumed(StoreNodes(other=await archive_of(one)), Notes(), check)
    await node.archive.put([old(0, age_s=9_000)])

    await node.until_complete()

    assert await node.archive.present([one.hash])
    assert tries == 2
    assert not node.history.refused


async def test_what_was_let_in_stays_where_a_later_proof_is_never_judged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """DST-43: the refusal counts once, and the run ends; the next start goes on with it."""
    monkeypatch.setattr(resuming, "FIRST_RETRY_MS", 1)
    monkeypatch.setattr(resuming, "MAX_RETRY_MS", 1)
    bad, good, unjudged = old(1, age_s=7_202), old(2, age_s=7_201), old(3)
    tries, ended = 0, asyncio.Event()

    async def check(_pubsub_topic: str, raw: bytes) -> None:
        nonlocal tries
        match decode(raw).payload:
            case b"1":
                raise RateLimitProofRefusedError("not valid")
            case b"3":
                tries += 1
                if tries == resuming.MAX_UNJUDGED:
                    ended.set()
                raise RateLimitProofNotJudgedError("the mixnet does not answer")

    notes = Notes()
    node = Resumed(StoreNodes(other=await archive_of(bad, good, unjudged)), notes, check)
    await node.archive.put([old(0, age_s=9_000)])
    async with node.operations.running(), asyncio.timeout(30):
        await ended.wait()
        while "next start" not in caplog.text:  # noqa: ASYNC110 - it is told by the log alone
            await asyncio.sleep(0.01)

    assert node.operations._machine.next_wake_ms() is None
    assert tries == resuming.MAX_UNJUDGED
    assert await node.archive.present([bad.hash, good.hash, unjudged.hash]) == {good.hash}
    assert dict(node.history.refused) == {RateLimitProofRefusedError.reason: 1}
    assert await notes.noted(MISSING_SINCE)


@pytest.mark.parametrize("value", ["yes", 1])
def test_what_is_no_setting(value: Any) -> None:
    with pytest.raises(ConfigError, match="resume"):
        parse({"resume": value})
    assert parse({}).resume is False
