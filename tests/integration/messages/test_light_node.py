"""A light node and its service node, each in processes of its own: none is lost, each comes once.

Of Logos Delivery's issue, acceptance 5, second half.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import delivery_pb2_grpc as pb_grpc
from logos.delivery.v1 import light_pb2, light_pb2_grpc
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet, front_door

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TOPIC = "/restarts/1/all/proto"
PAUSE_S = 0.1
WHILE_S = 3.0
PATIENCE_S = 120.0


@dataclass
class Sender:
    """Sends numbered messages at a node."""

    channel: grpc.aio.Channel
    name: str
    requests: list[str] = field(default_factory=list)

    async def send(self, ending: asyncio.Event) -> None:
        """Sends until it is told to end."""
        stub = pb_grpc.DeliveryStub(self.channel)
        while not ending.is_set():
            payload = f"{self.name} {len(self.requests)}".encode()
            request = pb.SendRequest(content_topic=TOPIC, payload=payload)
            self.requests.append((await stub.Send(request, timeout=PATIENCE_S)).request_id)
            await asyncio.sleep(PAUSE_S)

    @property
    def sent(self) -> Counter[bytes]:
        """What must come: each once."""
        return Counter(f"{self.name} {number}".encode() for number in range(len(self.requests)))


async def received(channel: grpc.aio.Channel, expected: Counter[bytes]) -> Counter[bytes]:
    """What a node has received, once all has come that is expected, and nothing for a while."""
    found: Counter[bytes] = Counter()
    kinds = [pb.EVENT_KIND_RECEIVED]
    call = watch(channel, kinds)
    while True:
        is_whole = found.keys() >= expected.keys()
        try:
            async with asyncio.timeout(WHILE_S if is_whole else PATIENCE_S):
                page = await call.read()
        except TimeoutError:
            return found
        found.update(event.message.payload for event in page.events)


async def ends(channel: grpc.aio.Channel, requests: list[str]) -> Counter[str]:
    """How requests have ended."""
    found: dict[str, str] = {}
    kinds = [pb.EVENT_KIND_SENT, pb.EVENT_KIND_ERROR, pb.EVENT_KIND_UNCONFIRMED]
    call = watch(channel, kinds)
    while not found.keys() >= set(requests):
        for event in (await call.read()).events:
            found[event.request_id] = f"{pb.EventKind.Name(event.kind)} {event.error}"
    return Counter(found.values())


def watch(channel: grpc.aio.Channel, kinds: list[int]) -> Any:
    """All events of these kinds, and those to come."""
    request = pb.WatchEventsRequest(after=0, kinds=kinds, content_topics=[TOPIC])
    return pb_grpc.DeliveryStub(channel).WatchEvents(request, timeout=2 * PATIENCE_S)


async def until_served(testnet: Testnet) -> None:
    """Waits until the light node has subscribed at the service node."""
    request = light_pb2.ListSubscribersRequest()
    async with asyncio.timeout(PATIENCE_S), front_door(testnet, "service") as channel:
        stub = light_pb2_grpc.FilterStub(channel)
        while not (await stub.ListSubscribers(request, wait_for_ready=True)).subscribers:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@asynccontextmanager
async def doors(testnet: Testnet) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Of all but the service node. The other one relays, and keeps, all the while."""
    async with AsyncExitStack() as stack:
        names = ("publisher", "other", "light")
        yield [await stack.enter_async_context(front_door(testnet, name)) for name in names]


async def restarted(testnet: Testnet) -> None:
    """Kills all processes of the service node at once, and starts them again."""
    for module in ("kernel", "delivery", "mixnet"):
        await testnet.kill("service", module, signal.SIGKILL)
    await asyncio.sleep(WHILE_S)
    await testnet.up(silent)


async def test_none_is_lost_over_a_kill_of_the_service_node(testnet: Testnet) -> None:
    async with doors(testnet) as (publisher, other, light):
        for channel in (publisher, other, light):
            topics = pb.SubscribeRequest(content_topics=[TOPIC])
            await pb_grpc.DeliveryStub(channel).Subscribe(topics)
        await until_served(testnet)
        there, here, ending = (
            Sender(publisher, "published"),
            Sender(light, "pushed"),
            asyncio.Event(),
        )

        async with asyncio.TaskGroup() as tasks:
            for sender in (there, here):
                tasks.create_task(sender.send(ending))
            await asyncio.sleep(WHILE_S)
            await restarted(testnet)
            await until_served(testnet)
            await asyncio.sleep(WHILE_S)
            ending.set()

        expected = there.sent + here.sent
        for channel, sender in ((light, here), (publisher, there)):
            found = await received(channel, expected)
            assert (expected - found, found - expected) == (Counter(), Counter())
            assert set(await ends(channel, sender.requests)) == {"EVENT_KIND_SENT "}
