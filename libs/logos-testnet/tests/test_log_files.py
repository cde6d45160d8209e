"""Logs: the newest lines, then what comes, in whichever file it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from logos_testnet import log_files
from logos_testnet.log_files import read_logs
from logos_testnet.testnet import LogLine


@asynccontextmanager
async def following(*paths: Path) -> AsyncIterator[AsyncIterator[LogLine]]:
    logs = [("node1", path.stem, path) for path in paths]
    async with (
        asyncio.timeout(60),
        aclosing(read_logs(lambda: logs, tail=1, follow=True)) as lines,  # type: ignore[type-var]
    ):
        yield lines


@pytest.mark.parametrize(
    ("content", "tail", "expected"),
    [
        (b"one\ntwo\n\xff three\n", 2, ["two", "\ufffd three"]),
        (b"one\nhalf", 1, ["half"]),
        (b"", 3, []),
        (b"\n\n\n", 2, ["", ""]),
        (b"one\n" + b"x" * 70_000 + b"\n", 2, ["x" * 65_536, "x" * 4464]),
    ],
    ids=repr,
)
async def test_the_newest_lines_come_oldest_first(
    tmp_path: Path, content: bytes, tail: int, expected: list[str]
) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content)

    lines = read_logs(lambda: [("node1", "x", path)], tail=tail, follow=False)

    assert [line.text async for line in lines] == expected


async def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    lines = read_logs(lambda: [("node1", "x", path)], tail=2, follow=False)

    assert [line async for line in lines] == []


async def test_following_gives_whole_lines_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n", encoding="utf-8")
    async with following(path) as lines:
        assert (await anext(lines)).text == "old"
        with path.open("a", encoding="utf-8") as file:
            file.write("half")
            file.flush()
            async with asyncio.TaskGroup() as tasks:
                coming = tasks.create_task(anext(lines))
                await asyncio.sleep(2 * log_files._POLL_S)
                assert not coming.done(), "half a line is no line"
                file.write(" and half\n")
                file.flush()

    assert coming.result() == LogLine("node1", "x", "half and half")


async def test_following_goes_on_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n", encoding="utf-8")
    async with following(path) as lines:
        assert (await anext(lines)).text == "old"
        with path.open("a", encoding="utf-8") as file:
            path.replace(path.with_suffix(".log.1"))
            file.write("late\nhalf")
        path.write_text("new\n", encoding="utf-8")

        assert [(await anext(lines)).text for _ in range(3)] == ["late", "half", "new"]


async def test_following_starts_again_after_a_truncation(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("a line of some length\n", encoding="utf-8")
    async with following(path) as lines:
        assert (await anext(lines)).text == "a line of some length"
        path.write_text("new\n", encoding="utf-8")

        assert (await anext(lines)).text == "new"


async def test_following_waits_for_a_log_and_misses_none_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    other = path.with_name("other.log")
    other.write_text("there\n", encoding="utf-8")
    async with following(other, path) as lines:
        assert (await anext(lines)).text == "there"
        (path.parent / "new").write_text("one\ntwo\n", encoding="utf-8")
        (path.parent / "new").replace(path)

        assert [(await anext(lines)).text for _ in range(2)] == ["one", "two"]


async def test_logs_that_are_named_later_are_followed_too(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("first\n", encoding="utf-8")
    logs = [("node1", "x", path)]
    lines = read_logs(lambda: logs, tail=1, follow=True)
    async with asyncio.timeout(60), aclosing(lines):  # type: ignore[type-var]
        assert (await anext(lines)).text == "first"
        later = path.with_name("later.log")
        later.write_text("hello\n", encoding="utf-8")
        logs.append(("node2", "later", later))

        assert await anext(lines) == LogLine("node2", "later", "hello")
