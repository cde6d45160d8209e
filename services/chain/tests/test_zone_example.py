"""ZON-21 to ZON-24: the example of a zone runs at a node."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from chain_ledger import CHANNEL
from chain_rpc import served
from chain_world import until
from chain_zone_caller import KEY

EXAMPLE = Path(__file__).parents[3] / "examples/python-client/zone.py"


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zone_example", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_example_writes_and_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zone, key = example(), tmp_path / "key"
    key.write_text(KEY.private_bytes_raw().hex() + "\n")
    async with served() as node:
        monkeypatch.setenv("LOGOS_TOKEN", "any")
        monkeypatch.setenv("LOGOS_ADDRESS", f"unix:{node.node.folder / 'node.sock'}")
        for at, text in enumerate(("one", "two")):
            async with asyncio.TaskGroup() as tasks:
                words = ("write", str(key), CHANNEL.hex(), text)
                writing = tasks.create_task(asyncio.to_thread(zone.main, *words))
                await until(lambda: bool(node.rooms.mempool.count))
                for block in range(100):
                    await node.include(f"{at} {block}")
                    if (await asyncio.wait([writing], timeout=0.1))[0]:
                        break
            assert writing.result() == 0
        assert await asyncio.to_thread(zone.main, "read", CHANNEL.hex()) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["one", "two"]
    assert "pending 1" in said
