"""A peer that is not ours, go-libp2p with its gossipsub, beside a node: NET-5 and NET-6."""

import asyncio
import base64
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from integration.commands import ROOT, skip_without
from logos.delivery.v1 import delivery_pb2, delivery_pb2_grpc, relay_pb2, relay_pb2_grpc
from logos.delivery.v1.message_pb2 import Message
from logos.network.v1 import gossip_pb2, gossip_pb2_grpc
from logos_testnet.testnet import Testnet, front_door

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SHARD = "/waku/2/rs/3/5"
COUNT = 200
PATIENCE_S = 60.0
QUIET_S = 3.0


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The peer, built."""
    skip_without("go")
    built = tmp_path / "peer"
    words = ["go", "build", "-o", str(built), "."]
    subprocess.run(words, cwd=ROOT / "tests" / "clients" / "go-libp2p", check=True)
    return built


def messages(sender: str) -> list[Message]:
    """Of every size up to 20 KiB, with all that a message can have but a proof."""
    return [
        Message(
            payload=f"{sender} {number} ".encode() * (1 + 10 * number),
            content_topic="/foreign/1/peers/proto",
            version=number % 3,
            timestamp=1_800_000_000_000_000_000 + number,
            meta=bytes([number]),
            ephemeral=number % 2 == 0,
        )
        for number in range(COUNT)
    ]


@asynccontextmanager
async def peer_of(program: Path, channel: grpc.aio.Channel) -> AsyncIterator[Any]:
    """The peer beside the node of a front door; it ends with its input."""
    stub = delivery_pb2_grpc.DeliveryStub(channel)
    info = await stub.GetNodeInfo(delivery_pb2.GetNodeInfoRequest())
    words = [str(program), info.addresses[0], SHARD]
    pipe = asyncio.subprocess.PIPE
    peer = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
    try:
        yield peer
    finally:
        peer.stdin.close()
        assert await peer.wait() == 0


async def until_followed(channel: grpc.aio.Channel, peer_count: int) -> None:
    """Waits until a node has so many peers in the shard's mesh."""
    stub = relay_pb2_grpc.RelayStub(channel)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            listed = await stub.ListShards(relay_pb2.ListShardsRequest())
            if any(
                s.pubsub_topic == SHARD and len(s.mesh_peer_ids) >= peer_count
                for s in listed.shards
            ):
                return
            await asyncio.sleep(0.1)


async def collected(read: Any, expected: Counter[bytes]) -> Counter[bytes]:
    """What comes until all has, and then for a while nothing; `read` returns some of it."""
    found: Counter[bytes] = Counter()
    while True:
        is_whole = found.keys() >= expected.keys()
        try:
            async with asyncio.timeout(QUIET_S if is_whole else PATIENCE_S):
                found.update(await read())
        except TimeoutError:
            return found


async def test_a_peer_of_go_libp2p_exchanges_messages_with_a_node(
    testnet: Testnet, program: Path
) -> None:
    async with front_door(testnet, "other") as beside, front_door(testnet, "publisher") as beyond:
        raw = gossip_pb2_grpc.GossipStub(beyond).Subscribe()
        await raw.write(gossip_pb2.SubscribeRequest(start={"topic": SHARD}))
        await raw.read()
        async with peer_of(program, beside) as peer:
            await until_followed(beside, 3)
            theirs, ours = messages("theirs"), messages("ours")

            for message in theirs:
                peer.stdin.write(base64.b64encode(message.SerializeToString()) + b"\n")
            relay = relay_pb2_grpc.RelayStub(beside)
            for message in ours:
                await relay.Publish(
                    relay_pb2.RelayPublishRequest(pubsub_topic=SHARD, message=message)
                )

            async def line() -> list[bytes]:
                return [base64.b64decode(await peer.stdout.readline())]

            async def page() -> list[bytes]:
                return [message.data for message in (await raw.read()).messages]

            sent_by_us = Counter(message.SerializeToString() for message in ours)
            everything = sent_by_us + Counter(message.SerializeToString() for message in theirs)
            assert await collected(line, sent_by_us) == sent_by_us
            assert await collected(page, everything) == everything
