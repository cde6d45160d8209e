"""Topics over the network module: messages and verdicts, publishing, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos.network.v1 import gossip_pb2 as pb
from logos.network.v1.gossip_pb2_grpc import GossipServicer, add_GossipServicer_to_server
from logos_base.errors import (
    ErrorKind,
    LogosError,
    MessageKnownError,
    MessageOversizeError,
    NetworkDeniedError,
    NetworkUnavailableError,
    NoNeighboursError,
)
from logos_base.gossip import Heard, Neighbours, Verdict
from logos_client.channels import open_channel
from logos_module.network.gossip import NetworkGossip
from logos_module.server import Server
from open_access import OpenAccess


def failure(kind: ErrorKind, reason: str) -> LogosError:
    made = type("Failure", (LogosError,), {"kind": kind, "reason": reason})
    error: LogosError = made("as gossip says")
    return error


class FakeGossipModule(GossipServicer):
    """A network module that gives out what is put in `come`, and may end a call."""

    def __init__(self) -> None:
        self.failure: LogosError | None = None
        self.published: list[tuple[str, bytes]] = []
        self.starts: list[Any] = []
        self.verdicts: list[tuple[bytes, int]] = []
        self.come: asyncio.Queue[Any] = asyncio.Queue()
        self.has_verdicts = asyncio.Event()

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.failure is not None:
            raise self.failure
        self.published.append((request.topic, request.data))
        return pb.PublishResponse(message_id=bytes(32))

    async def Subscribe(self, request: Any, context: Any) -> None:  # noqa: N802
        self.starts.append((await context.read()).start)
        await context.write(pb.SubscribeResponse())
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(context))
            while (messages := await self.come.get()) is not None:
                await context.write(pb.SubscribeResponse(messages=messages))
            reading.cancel()

    async def ListTopics(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.failure is not None:
            raise self.failure
        peers = [
            pb.TopicPeer(peer_id="near", in_mesh=True, score=1.0),
            pb.TopicPeer(peer_id="far", score=-3.0),
        ]
        return pb.ListTopicsResponse(topics=[pb.Topic(topic="t", peers=peers)])

    async def _read(self, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            self.verdicts += [(each.message_id, each.verdict) for each in request.judgements]
            self.has_verdicts.set()


@pytest.fixture
async def module(tmp_path: Path) -> AsyncIterator[tuple[FakeGossipModule, NetworkGossip]]:
    fake, server = FakeGossipModule(), Server(OpenAccess())
    server.serve(add_GossipServicer_to_server, fake)
    address = f"unix:{tmp_path / 's'}"
    await server.start([address])
    async with open_channel(address) as channel:
        yield fake, NetworkGossip(channel, "chain")
    await server.stop(0)


def message(number: int) -> pb.GossipMessage:
    return pb.GossipMessage(message_id=bytes([number]) * 32, data=b"data", from_peer_id="peer")


async def test_messages_come_with_their_neighbour_and_verdicts_go_back(
    module: tuple[FakeGossipModule, NetworkGossip],
) -> None:
    fake, gossip = module

    async with asyncio.timeout(10), gossip.follow("t") as topic:
        fake.come.put_nowait([message(1), message(2)])
        heard = await topic.messages()
        topic.judge(heard[0].gossip_id, Verdict.ACCEPT)
        topic.judge(heard[1].gossip_id, Verdict.REJECT)
        while len(fake.verdicts) < 2:
            fake.has_verdicts.clear()
            await fake.has_verdicts.wait()

    assert heard == [Heard(bytes([number]) * 32, b"data", "peer") for number in (1, 2)]
    assert fake.verdicts == [
        (bytes([1]) * 32, pb.VERDICT_ACCEPT),
        (bytes([2]) * 32, pb.VERDICT_REJECT),
    ]
    assert [(start.topic, start.validate) for start in fake.starts] == [("t", True)]


async def test_a_topic_is_followed_again_after_its_call_has_ended(
    module: tuple[FakeGossipModule, NetworkGossip],
) -> None:
    fake, gossip = module

    async with asyncio.timeout(10), gossip.follow("t") as topic:
        fake.come.put_nowait(None)
        fake.come.put_nowait([message(3)])
        [heard] = await topic.messages()

    assert heard.gossip_id == bytes([3]) * 32
    assert len(fake.starts) == 2


async def test_publishing(module: tuple[FakeGossipModule, NetworkGossip]) -> None:
    fake, gossip = module

    await gossip.publish("t", b"data")

    assert fake.published == [("t", b"data")]


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        (ErrorKind.ALREADY_EXISTS, "DUPLICATE_MESSAGE", MessageKnownError),
        (ErrorKind.UNAVAILABLE, "NO_PEERS", NoNeighboursError),
        (ErrorKind.RESOURCE_EXHAUSTED, "QUEUE_FULL", NoNeighboursError),
        (ErrorKind.INVALID_ARGUMENT, "MESSAGE_SIZE", MessageOversizeError),
        (ErrorKind.PERMISSION_DENIED, "ACCESS_DENIED", NetworkDeniedError),
        (ErrorKind.UNAVAILABLE, "MODULE_DRAINING", NetworkUnavailableError),
    ],
)
async def test_what_goes_wrong_with_publishing(
    module: tuple[FakeGossipModule, NetworkGossip],
    kind: ErrorKind,
    reason: str,
    expected: type[LogosError],
) -> None:
    fake, gossip = module
    fake.failure = failure(kind, reason)

    with pytest.raises(expected):
        await gossip.publish("t", b"data")


async def test_neighbours(module: tuple[FakeGossipModule, NetworkGossip]) -> None:
    fake, gossip = module

    assert await gossip.neighbours() == {
        "t": Neighbours(("near", "far"), ("near",), {"near": 1.0, "far": -3.0})
    }

    fake.failure = failure(ErrorKind.PERMISSION_DENIED, "ACCESS_DENIED")
    with pytest.raises(NetworkDeniedError, match="chain mixnet"):
        await gossip.neighbours()
