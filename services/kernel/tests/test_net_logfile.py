"""KER-12: logs are rotated, read from their end, and followed."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.net import logfile


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


async def test_following_goes_on_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with (
        asyncio.timeout(60),
        aclosing(logfile.read_lines(path, tail=1, follow=True)) as lines,
    ):
        path.write_bytes(b"old\nlast\n")
        assert await anext(lines) == b"last"
        with path.open("ab") as file:
            file.write(b"half")
            file.flush()
            reading = asyncio.ensure_future(anext(lines))  # noqa: TID251 -- read while it is written
            await asyncio.sleep(2 * logfile.FOLLOW_POLL_S)
            assert not reading.done(), "half a line is no line"
            file.write(b" done\n")
        assert await reading == b"half done"
        path.replace(tmp_path / "log.1")
        path.write_bytes(b"new\n")
        assert await anext(lines) == b"new"


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
    [(b"", ""), (b"a\nb\n\n", "b"), (b"x" * 9000, "x" * 1000), (b"ok\n\xff\n", "\ufffd")],
)
def test_the_last_line_is_found(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "log").write_bytes(content)

    assert logfile.last_line(tmp_path / "log") == expected
    assert logfile.last_line(tmp_path / "none") == ""
