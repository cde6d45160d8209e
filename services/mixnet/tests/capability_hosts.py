"""Whole nodes on real hosts that discover each other, for tests and benchmarks."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mixnet_nodes import RunningNode, at, running

from logos_crypto import base58
from logos_mixnet.config import parse
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.node import open_host

MIX = "/mix/1.0.0"


@asynccontextmanager
async def discovering(
    folder: Path, port: int, *bootstrap: int, **options: Any
) -> AsyncIterator[RunningNode]:
    """Runs a node of the profile for testnets that knows some ports of others."""
    settings: dict[str, Any] = {
        "listen": [at(port)],
        "bootstrap": [at(each) for each in bootstrap],
        "discovery_profile": "local",
        "target_peers": options.pop("target_peers", 4),
    }
    for name in {"kademlia_protocol", "max_gossip_bytes", "peer_exchange"} & options.keys():
        settings[name] = options.pop(name)
    secret = options.pop("secret", None) or secrets.token_bytes(32)
    host = open_host(parse(settings), secret)
    path = folder / f"{port}-{secrets.token_hex(2)}.sock"
    async with running(host, path, signer=Secp256k1Signer(secret), **settings, **options) as node:
        yield node


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

    def record(self, node: RunningNode, of: RunningNode) -> SignedRecord | None:
        """What a node knows of another."""
        for each in self.known[node.peer_id]:
            if base58.encode(each.record.peer_id) == of.peer_id:
                return each
        return None
