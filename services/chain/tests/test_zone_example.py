"""ZON-21 to ZON-24: the example of a zone runs at a node."""

import asyncio
import importlib.util
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from chain_ledger import CHANNEL
from chain_rpc import served
from chain_world import until
from chain_zone_caller import KEY
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chain_answers import SequencerAnswers
from logos.chain.v1 import zone_pb2_grpc

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


class Refusing(SequencerAnswers):
    """Opens a sequencer after it has refused as often as there are reasons."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)

    def Publish(self, request_iterator: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        if self.reasons:
            detail, reason = any_pb2.Any(), self.reasons.pop(0)
            detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
            status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="no", details=[detail])
            context.abort_with_status(rpc_status.to_status(status))
        yield from super().Publish(request_iterator, context)


def written(node: Refusing, zone: ModuleType, key: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the example returns that writes to a node."""
    key.write_text(KEY.private_bytes_raw().hex())
    server = grpc.server(ThreadPoolExecutor(2))
    zone_pb2_grpc.add_ZoneSequencerServicer_to_server(node, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("LOGOS_TOKEN", "any")
    monkeypatch.setenv("LOGOS_ADDRESS", f"127.0.0.1:{port}")
    try:
        return zone.main("write", str(key), CHANNEL.hex(), "one")
    finally:
        server.stop(0).wait()


def test_the_example_waits_for_a_node_that_has_just_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ZON-18."""
    zone, node = example(), Refusing("ZONE_NODE_BEHIND", "ZONE_NODE_BEHIND")
    monkeypatch.setattr(zone, "RETRY_S", 0)
    assert written(node, zone, tmp_path / "key", monkeypatch) == 0
    said = capsys.readouterr()
    assert said.err.count("still downloads the chain") == 2
    assert said.out.split() == ["challenge", "opened", "pending", "0", "finalized"]


def test_the_example_does_not_hide_other_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(grpc.RpcError):
        written(Refusing("MODULE_DRAINING"), example(), tmp_path / "key", monkeypatch)
