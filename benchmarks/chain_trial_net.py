"""What the trials of benchmarks/chain_trials.py that break something have in common."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from benchmarks.chain_idle import infos
from benchmarks.running import Running, running

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2 as tx
from logos.chain.v1 import wallet_pb2
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub

NODES: Final = 5
PATIENCE_S: Final = 300.0
CALL_S: Final = 30.0
LOOK_S: Final = 0.5
AMOUNT: Final = 1_000

TOPOLOGY: Final = """\
schema = 1
name = "trial"
node_count = 5
target_peers = 4
[modules.mixnet]
settings.mix = "off"
settings.rln = "off"
[modules.chain]
settings.preset = "{preset}"
"""


@asynccontextmanager
async def chain_of(preset: str, ports_from: int) -> AsyncIterator[Running]:
    """Five nodes with equal stakes that do nothing but the chain."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.toml"
        path.write_text(TOPOLOGY.format(preset=preset), encoding="utf-8")
        async with running(None, path, ports_from) as net:
            async with asyncio.timeout(PATIENCE_S):
                await until_height(net, 1)
            yield net


async def until_height(net: Running, height: int) -> None:
    """Waits until all nodes have come so far."""
    while min(each.tip.height for each in (await infos(net)).values()) < height:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)


async def one_tip(net: Running) -> float:
    """Waits until all nodes have one tip, at most `PATIENCE_S`; returns how long, in seconds."""
    began = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while await tips(net) > 1:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
    return time.monotonic() - began


async def tips(net: Running) -> int:
    """Returns how many tips the nodes have."""
    return len({each.tip.id for each in (await infos(net)).values()})


@dataclass(slots=True)
class Payments:
    """Payments between nodes, and what becomes of them."""

    net: Running
    sent: list[bytes] = field(default_factory=list)
    refused: int = 0
    """Not accepted, so nothing was promised: the node was away, or its notes were on their way."""

    async def send(self, payer: str, payee: str) -> None:
        """Has one node pay another."""
        try:
            async with self.net.front(payee) as channel:
                request = wallet_pb2.NewAddressRequest()
                address = await WalletStub(channel).NewAddress(request, timeout=CALL_S)
            outputs = [tx.Note(value=AMOUNT, public_key=address.public_key)]
            async with self.net.front(payer) as channel:
                request = wallet_pb2.SendRequest(outputs=outputs)
                sent = await WalletStub(channel).Send(request, timeout=CALL_S)
        except grpc.aio.AioRpcError:
            self.refused += 1
        else:
            self.sent.append(sent.hash)

    async def lost(self) -> int:
        """Waits until all are in blocks on all nodes; returns how many are not after all."""
        missing = {(node.name, each) for node in self.net.plan.nodes for each in self.sent}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while missing:
                    missing -= {each for each in missing if await self._is_in_a_block(*each)}
                    await asyncio.sleep(LOOK_S)
        return len({hash_ for _, hash_ in missing})

    async def _is_in_a_block(self, node: str, hash_: bytes) -> bool:
        async with self.net.front(node) as channel:
            request = pb.GetTransactionRequest(hash=hash_)
            try:
                found = await ChainNodeStub(channel).GetTransaction(request, timeout=CALL_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return False
        return bool(found.status.height)


async def supplies_conserved(net: Running) -> int:
    """Returns how many nodes have all tokens of the genesis and of emission, and one account."""
    found = []
    for node in net.plan.nodes:
        async with net.front(node.name) as channel:
            request = pb.GetSupplyRequest()
            found.append(await ChainNodeStub(channel).GetSupply(request, timeout=CALL_S))
    return sum(_is_conserved(each) for each in found)


def _is_conserved(one: pb.GetSupplyResponse) -> bool:
    held = one.free + one.locked + one.in_channels + one.pool + one.pending + one.burned
    return bool(held == one.genesis + one.emitted)
