"""Messages through the mix-net, on processes, with proofs at every hop and of every message."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos_testnet.opening import Description, Places
from logos_testnet.scenarios.mixing import mix_status, until_mixes_are_known
from logos_testnet.testnet import Testnet, front_door
from own_topology import claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TOPIC = "/test/1/chat/proto"
TRIES = 5
"""Sends: one fails where the machine is too busy for a packet's proofs within a minute."""


@pytest.fixture
def messengers(places: Places) -> Iterator[Testnet]:
    """A testnet of four nodes that send messages, and whose mixes are quick."""
    ports = claim_ports()
    text = (
        'schema = 1\nname = "messengers"\nnode_count = 4\ntarget_peers = 3\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        "[modules.mixnet]\n[modules.delivery]\nsettings.mix_delay_ms = 50\n"
    )
    with running(Description(text, "messengers.toml"), places, "processes") as testnet:
        yield testnet


async def test_a_message_through_the_mix_net_is_published_by_another_node(
    messengers: Testnet,
) -> None:
    await until_mixes_are_known(messengers)
    names = [node.name for node in messengers.plan.nodes]
    async with AsyncExitStack() as stack:
        nodes = [
            DeliveryStub(await stack.enter_async_context(front_door(messengers, name)))
            for name in names
        ]
        for node in nodes:
            await node.Subscribe(pb.SubscribeRequest(content_topics=[TOPIC]))
        before = await mix_status(messengers, names[0])

        accepted = await propagated(nodes[0])

        for node in nodes[1:]:
            received = await first_event(node, kinds=[pb.EVENT_KIND_RECEIVED])
            assert received.message.payload == b"hello"
        after = await mix_status(messengers, names[0])
        assert after.guarded
        assert after.counts.own_sent > before.counts.own_sent
        request = pb.GetRequestRequest(request_id=accepted)
        assert (await nodes[0].GetRequest(request)).propagated_at.seconds


async def propagated(node: Any) -> str:
    """Sends until a mix answers that it has published the message; returns the request's id."""
    for _ in range(TRIES):
        request = pb.SendRequest(content_topic=TOPIC, payload=b"hello", via_mix=True)
        accepted = await node.Send(request)
        told = await first_event(node, request_ids=[accepted.request_id])
        if told.kind == pb.EVENT_KIND_PROPAGATED:
            return str(accepted.request_id)
    raise AssertionError(f"none of {TRIES} messages was published")


async def first_event(node: Any, **wanted: Any) -> Any:
    """The first event of some, since the node's start."""
    call = node.WatchEvents(pb.WatchEventsRequest(after=0, **wanted))
    async with asyncio.timeout(120):
        async for page in call:
            if page.events:
                call.cancel()
                return page.events[0]
    raise AssertionError("the events have ended")
