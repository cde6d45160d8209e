"""Capability discovery between real hosts on loopback."""

import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from mixnet_nodes import RunningNode, at, own_ports, running, until

from logos_crypto import base58
from logos_mixnet.config import parse
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.capability.records import SignedRecord

pytest.importorskip("logos_native")

from logos_mixnet.node import open_host

pytestmark = pytest.mark.native

MIX = "/mix/1.0.0"
Start = Callable[..., Awaitable[RunningNode]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(port: int, *bootstrap: int, **options: Any) -> RunningNode:
            settings = {
                "listen": [at(port)],
                "bootstrap": [at(each) for each in bootstrap],
                "discovery_profile": "local",
                "target_peers": options.pop("target_peers", 4),
            }
            secret = options.pop("secret", secrets.token_bytes(32))
            host = open_host(parse(settings), secret)
            options["signer"] = Secp256k1Signer(secret)
            path = tmp_path / f"{port}-{secrets.token_hex(2)}.sock"
            return await stack.enter_async_context(running(host, path, **settings, **options))

        yield start


class Pools:
    """Whom each node knows as a mix."""

    def __init__(self) -> None:
        self.known: dict[str, Sequence[SignedRecord]] = {}
        self._stack = ExitStack()

    def watch(self, node: RunningNode) -> None:
        def changed(records: Sequence[SignedRecord]) -> None:
            self.known[node.peer_id] = records

        self.known[node.peer_id] = ()
        self._stack.enter_context(node.network.capability.watch(MIX, changed))

    def close(self) -> None:
        self._stack.close()

    def least(self) -> int:
        return min(map(len, self.known.values()))

    def ids(self, node: RunningNode) -> set[str]:
        return {base58.encode(each.record.peer_id) for each in self.known[node.peer_id]}


async def test_twenty_nodes_form_a_pool_by_discovery_alone(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Acceptance 6: nobody is told who the mixes are; each node knows up to four addresses."""
    ports = own_ports(20)
    nodes = [
        await start(port, *ports[max(0, at - 4) : at] or ports[1:2])
        for at, port in enumerate(ports)
    ]
    pools, begun = Pools(), time.monotonic()
    for number, node in enumerate(nodes):
        pools.watch(node)
        await node.network.capability.advertise(MIX, bytes([number]) * 32)

    await until(lambda: pools.least() == 19)

    took_s = time.monotonic() - begun
    asked = [node.network.capability.asking.asked for node in nodes]
    with capsys.disabled():
        each = sum(asked) / 20
        sys.stdout.write(
            f"\n20 nodes: full pools after {took_s:.1f} s, {each:.0f} requests a node\n"
        )
    assert took_s <= 60
    for number, node in enumerate(nodes):
        assert pools.ids(node) == {other.peer_id for other in nodes} - {node.peer_id}
        [own] = [
            each
            for each in pools.known[nodes[number - 1].peer_id]
            if base58.encode(each.record.peer_id) == node.peer_id
        ]
        assert own.record.services[0].data == bytes([number]) * 32
    pools.close()
