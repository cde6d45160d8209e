"""Logs: the newest lines, then what comes."""

import asyncio
from pathlib import Path

from logos_testnet.log_files import newest_lines, read_logs


def test_the_newest_lines_come_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"one\ntwo\n\xff three\n")

    assert newest_lines(path, 2) == ["two", "\ufffd three"]
    assert newest_lines(tmp_path / "none", 2) == []


async def test_following_gives_whole_lines_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n", encoding="utf-8")
    lines = read_logs([("node1", "storage", path)], tail=1, follow=True)
    assert (await anext(lines)).text == "old"

    async with asyncio.TaskGroup() as tasks:
        coming = tasks.create_task(anext(lines))
        await asyncio.sleep(0)
        with path.open("a", encoding="utf-8") as file:
            file.write("half")
            file.flush()
            await asyncio.sleep(0.3)
            assert not coming.done()
            file.write(" and half\n")

    line = coming.result()
    assert (line.node, line.module, line.text) == ("node1", "storage", "half and half")
    await lines.aclose()
