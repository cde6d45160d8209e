"""KER-12: logs are rotated, read from their end, and followed."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.net import logfile
from logos_kernel.net.rotation import keep_small, rotate


async def _tail(path: Path, lines: int) -> list[bytes]:
    return [line async for line in logfile.read_lines(path, tail=lines, follow=False)]


@pytest.mark.parametrize(
    ("content", "tail", "expected"),
    [
        (b"", 3, []),
        (b"a\n", 3, [b"a"]),
        (b"a\nb\nc\n", 2, [b"b", b"c"]),
        (b"a\nb\nc", 2, [b"b", b"c"]),
        (b"\n\n\n", 2, [b"", b""]),
        (b"a\n\nb\n", 2, [b"", b"b"]),
        (b"a\nb\n", 2, [b"a", b"b"]),
        (b"a\xff\n", 1, [b"a\xff"]),
    ],
)
async def test_the_last_lines_are_read(
    tmp_path: Path, content: bytes, tail: int, expected: list[bytes]
) -> None:
    (tmp_path / "log").write_bytes(content)

    assert await _tail(tmp_path / "log", tail) == expected


@pytest.mark.property
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=12), st.integers(1, 13), st.booleans())
async def test_lines_of_any_length_are_found_across_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    tail: int,
    is_ended: bool,  # noqa: FBT001
) -> None:
    lines = [bytes([97 + at]) * (size + 1) for at, size in enumerate(sizes)]
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"\n".join(lines) + (b"\n" if is_ended else b""))

    assert await _tail(path, tail) == lines[-tail:]


async def test_long_lines_are_cut(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 200_000 + b"\nnext\n")

    assert await _tail(tmp_path / "log", 2) == [b"x" * 65536, b"next"]


async def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert await _tail(tmp_path / "log", 2) == []


@asynccontextmanager
async def following(path: Path, *, tail: int = 1) -> AsyncIterator[AsyncIterator[bytes]]:
    async with (
        asyncio.timeout(60),
        aclosing(logfile.read_lines(path, tail=tail, follow=True)) as lines,
    ):
        yield lines


async def test_following_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\nlast\n")
    async with following(path) as lines:
        assert await anext(lines) == b"last"
        with path.open("ab") as file:
            file.write(b"half")
            file.flush()
            reading = asyncio.ensure_future(anext(lines))  # noqa: TID251 -- read while it is written
            await asyncio.sleep(2 * logfile.FOLLOW_POLL_S)
            assert not reading.done(), "half a line is no line"
            file.write(b" done\n")
        assert await reading == b"half done"


async def test_following_goes_on_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    async with following(path) as lines:
        assert await anext(lines) == b"old"
        with path.open("ab") as file:
            path.replace(tmp_path / "log.1")
            file.write(b"late\nhalf")
        path.write_bytes(b"new\n")

        assert [await anext(lines) for _ in range(3)] == [b"late", b"half", b"new"]


async def test_following_starts_again_after_a_truncation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a line of some length\n")
    async with following(path) as lines:
        assert await anext(lines) == b"a line of some length"
        path.write_bytes(b"new\n")

        assert await anext(lines) == b"new"


async def test_following_waits_for_a_log_and_misses_none_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with following(path) as lines:
        reading = asyncio.ensure_future(anext(lines))  # noqa: TID251 -- read while it is written
        await asyncio.sleep(0)
        (tmp_path / "new").write_bytes(b"one\ntwo\n")
        (tmp_path / "new").replace(path)

        assert await reading == b"one"
        assert await anext(lines) == b"two"


def test_a_large_log_is_put_aside_at_a_start(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "base.log"
    os.close(logfile.open_for_append(path))
    path.write_bytes(b"x" * logfile.ROTATE_BYTES)
    os.close(logfile.open_for_append(path))
    assert path.stat().st_size == logfile.ROTATE_BYTES, "not yet over the limit"
    with path.open("ab") as file:
        file.write(b"y")

    log = logfile.open_for_append(path)
    os.write(log, b"new\n")
    os.close(log)

    assert path.read_bytes() == b"new\n"
    assert path.with_name("base.log.1").stat().st_size == logfile.ROTATE_BYTES + 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a\n\n b\n\n", ["a", "b"]),
        (b"x" * 9000 + b"\ny", ["x" * 1000, "y"]),
        (b"ok\n\xff\n", ["ok", "\ufffd"]),
        (b"z" * 90_000, ["z" * 1000]),
        (b"".join(b"%d\n" % n for n in range(60)), [str(n) for n in range(10, 60)]),
    ],
)
def test_the_last_lines_are_found_and_cut(
    tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    (tmp_path / "log").write_bytes(content)

    assert logfile.last_lines(tmp_path / "log") == tuple(expected)
    assert logfile.last_lines(tmp_path / "none") == ()


def _line(second: int, text: str = "x", zone: str = "Z") -> bytes:
    return b'{"time": "2026-11-28T10:00:%02d.500%s", "message": "%s"}' % (
        second,
        zone.encode(),
        text.encode(),
    )


AT_10_00_MS = 1_795_860_000_000


async def _since(path: Path, second: int, tail: int = 0) -> list[bytes]:
    since_ms = AT_10_00_MS + 1000 * second
    lines = logfile.read_lines(path, tail=tail, follow=False, since_ms=since_ms)
    return [line async for line in lines]


async def test_lines_are_read_from_a_time_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [b"Traceback", _line(1), b"  at", _line(2), b"  at", b"{", _line(3)]
    path.write_bytes(b"\n".join(lines) + b"\n")

    assert await _since(path, 0) == lines[1:]
    assert await _since(path, 2) == lines[3:]
    assert await _since(path, 2, tail=2) == lines[-2:]
    assert await _since(path, 2, tail=99) == lines[3:]
    assert await _since(path, 4) == []


async def test_a_time_may_have_a_zone_and_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    damaged = b'{"time": "2026-99-99T10:00:09"}'
    lines = [damaged, _line(1, zone="+01:00"), _line(1, zone=""), b'{"time":"' + b"9" * 99]
    path.write_bytes(b"\n".join(lines))

    assert await _since(path, 0) == lines[2:]
    assert await _since(path, -3600) == lines[1:]


async def test_the_log_that_was_put_aside_is_read_first(tmp_path: Path) -> None:
    path, aside = tmp_path / "log", tmp_path / "log.1"
    aside.write_bytes(b"\n".join([_line(1), _line(2)]) + b"\n")
    path.write_bytes(_line(3) + b"\n")

    assert await _since(path, 2) == [_line(2), _line(3)]
    assert await _since(path, 3) == [_line(3)]
    assert await _since(path, 1, tail=5) == [_line(3)]


async def test_the_log_of_a_running_module_is_put_aside_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_kernel.net.rotation.ROTATE_BYTES", 100)
    path, small = tmp_path / "log", tmp_path / "small"
    small.write_bytes(b"x" * 100)
    output = logfile.open_for_append(path)
    os.write(output, b"old\n" * 30)

    keeping = keep_small(lambda: [path, small, tmp_path / "absent"], check_s=0.01)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(keeping)
        while path.stat().st_size:  # noqa: ASYNC110 -- a file is not waited for otherwise
            await asyncio.sleep(0.01)
        task.cancel()
    os.write(output, b"new\n")
    os.close(output)

    assert (tmp_path / "log.1").read_bytes() == b"old\n" * 30
    assert path.read_bytes() == b"new\n"
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "small"]  # noqa: PTH208 -- not async


def test_a_log_that_cannot_be_put_aside_stays(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"line\n")
    (tmp_path / "log.1").mkdir()

    rotate(path)

    assert path.read_bytes() == b"line\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["log", "log.1"]
