"""The composition root with the genesis of a job, real proofs and a disk: a node leads its chain,
stops, starts again, and goes on.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chain_genesis import job_of
from chain_rpc import pages
from mixnet_fake_host import Switchboard
from mixnet_nodes import fake_address, fake_peer_id, fake_signer, running

from logos.chain.v1 import admin_pb2, chain_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.admin_pb2_grpc import ChainAdminStub
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_chain.core.chain_spec.wallets import FirstWallet
from logos_chain.core.checkpoints.errors import CheckpointOtherHashError
from logos_chain.genesis import make
from logos_chain.node import DATABASE, node
from logos_chain.operations import joining
from logos_chain.store.genesis import WALLET
from logos_client.channels import open_channel
from logos_mantle.derivations import blake2b
from logos_module.genesis import GenesisJob
from logos_module.server import Server
from open_access import OpenAccess

pytestmark = [pytest.mark.proofs, pytest.mark.native, pytest.mark.timeout(600)]

STAKE = [4_000_000] * 4
PAID = 1_000


@asynccontextmanager
async def network_module(folder: Path) -> AsyncIterator[Any]:
    host = Switchboard().host(fake_peer_id(1), fake_address(1))
    async with running(host, folder / "m.sock", signer=fake_signer(1), target_peers=0) as network:
        yield network.channel


class Unheard:
    """The events of a kernel that nothing subscribes to."""

    async def publish(self, event: str, *payloads: bytes, timeout_s: float | None) -> None:
        """Takes them."""


@asynccontextmanager
async def started(
    job: GenesisJob, folder: Path, network: Any, said: list[str], **settings: object
) -> AsyncIterator[Any]:
    """A process of the module, without its process; returns its stubs."""
    server = Server(OpenAccess())

    async def channel(module: str) -> Any:
        assert module == "mixnet"
        return network

    context: Any = SimpleNamespace(
        settings={
            "genesis": str(job.public),
            "own_genesis": str(job.nodes["node1"].folder),
            "preset": "ci",
            **settings,
        },
        state_dir=folder,
        stopping=asyncio.Event(),
        key=lambda purpose: blake2b(purpose.encode()),
        status=said.append,
        channel=channel,
        serve=server.serve,
        events=Unheard(),
    )
    path = f"unix:{folder / 'n.sock'}"
    async with node(context):
        await server.start([path])
        try:
            async with open_channel(path) as opened:
                yield SimpleNamespace(
                    chain=ChainNodeStub(opened),
                    wallet=WalletStub(opened),
                    admin=ChainAdminStub(opened),
                )
        finally:
            await server.stop(0)


async def info(stubs: Any) -> chain_pb2.GetInfoResponse:
    found = await stubs.chain.GetInfo(chain_pb2.GetInfoRequest())
    assert isinstance(found, chain_pb2.GetInfoResponse)
    return found


async def until_height(stubs: Any, height: int) -> chain_pb2.GetInfoResponse:
    while (found := await info(stubs)).tip.height < height:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return found


async def checkpoint_of(stubs: Any, path: Path) -> str:
    """Exports one into a file; returns its hash."""
    call = stubs.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
    parts = [each async for each in call]
    await asyncio.to_thread(path.write_bytes, b"".join(each.chunk for each in parts[1:]))
    return str(parts[0].summary.hash.hex())


async def test_a_node_leads_its_chain_and_goes_on_after_a_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(joining, "PATIENCE_S", 0.1)
    caplog.set_level(logging.INFO)
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="c") as name:
        folder = Path(name)
        fresh = folder / "fresh"
        await asyncio.to_thread(fresh.mkdir)
        job = job_of(folder, {"node1": {"preset": "ci", "genesis_stake": STAKE}}, 7)
        spec = await asyncio.to_thread(make, job)
        phrase = FirstWallet.decode((job.nodes["node1"].folder / WALLET).read_bytes()).phrase
        async with network_module(folder) as network:
            async with started(job, folder, network, said) as stubs:
                found = await until_height(stubs, 1)
                assert (found.chain_id, found.genesis_id) == (spec.chain_id, spec.genesis_id)
                assert found.is_insecure
                assert found.leading.on_tip >= 1
                outputs = [transaction_pb2.Note(value=PAID, public_key=bytes(32))]
                sent = await stubs.wallet.Send(pb.SendRequest(outputs=outputs))
                before = await info(stubs)

            async with started(job, folder, network, said) as stubs:
                again = await info(stubs)
                assert again.tip.height >= before.tip.height
                request = chain_pb2.WatchTransactionRequest(hash=sent.hash)
                async for each in stubs.chain.WatchTransaction(request):
                    if each.status.block:
                        break
                after = await until_height(stubs, before.tip.height + 1)
                assert after.leading.proposed >= 1
                listed = await pages(
                    stubs.chain.ListBlocks, chain_pb2.ListBlocksRequest(), "blocks"
                )
                ids = [block.point.id for page in listed for block in page]
                assert {before.tip.id, spec.genesis_id} <= set(ids)
                balance = await stubs.wallet.GetBalance(pb.GetBalanceRequest())
                assert balance.confirmed == sum(STAKE) - PAID - sent.fee - sent.tip
                hash_ = await checkpoint_of(stubs, folder / "checkpoint")

            given = {"checkpoint": str(folder / "checkpoint"), "checkpoint_hash": hash_}
            with pytest.RaisesGroup(CheckpointOtherHashError, flatten_subgroups=True):
                async with started(
                    job, fresh, network, said, **{**given, "checkpoint_hash": "00" * 32}
                ):
                    pass
            for _ in range(2):
                async with started(job, fresh, network, said, lead=False, **given) as stubs:
                    found = await info(stubs)
                    assert found.checkpoint_hash.hex() == hash_
                    assert found.genesis_id == spec.genesis_id
                    supply = await stubs.chain.GetSupply(chain_pb2.GetSupplyRequest())
                    assert supply.free > 0
        assert (folder / DATABASE).exists()
    assert any(text.startswith("INSECURE, ") for text in said)
    assert "INSECURE" in caplog.text
    assert not any(" ".join(pair) in caplog.text for pair in pairwise(phrase.split()))
