"""NET-7: the largest messages, between real hosts on loopback."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from mixnet_nodes import RunningNode, own_ports, refused

from logos.network.v1 import gossip_pb2 as pb

pytest.importorskip("logos_native")

from capability_hosts import discovering

pytestmark = pytest.mark.native


async def _until_neighbours(node: RunningNode) -> None:
    async with asyncio.timeout(60):
        while True:
            [topic] = (await node.gossip.ListTopics(pb.ListTopicsRequest())).topics
            if topic.peers:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("settings", "largest"), [({}, 153_600), ({"max_gossip_bytes": 2**20}, 2**20)]
)
async def test_the_largest_message_crosses_and_one_byte_more_is_refused(
    tmp_path: Path, settings: dict[str, int], largest: int
) -> None:
    first, second = own_ports(2)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(discovering(tmp_path, first, **settings))
        other = await stack.enter_async_context(discovering(tmp_path, second, first, **settings))
        call = other.gossip.Subscribe()
        await call.write(pb.SubscribeRequest(start={"topic": "t"}))
        await call.read()

        own = one.gossip.Subscribe()  # lists neighbours of topics that a node follows
        await own.write(pb.SubscribeRequest(start={"topic": "t"}))
        await own.read()
        await _until_neighbours(one)
        data = secrets.token_bytes(largest)
        await one.gossip.Publish(pb.PublishRequest(topic="t", data=data))
        [message] = (await call.read()).messages
        assert message.data == data
        too_large = pb.PublishRequest(topic="t", data=data + b"x")
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_SIZE"):
            await one.gossip.Publish(too_large)
