"""`Gossip` through the network module of this node."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1 import gossip_pb2 as pb
from logos.network.v1.gossip_pb2_grpc import GossipStub
from logos_base.errors import LogosError
from logos_client.channels import write
from logos_delivery.core.errors import MessageKnownError, NoNeighboursError
from logos_delivery.core.ports import Neighbours
from logos_delivery.core.relay.relay_guard import Verdict
from logos_delivery.net.calls import failure_of
from logos_module.errors import reason_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.gossip_pb2_grpc import GossipAsyncStub

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S: Final = 10.0
RETRY_S: Final = 0.5
MAX_BATCHES: Final = 4
"""Responses that wait to be judged; after that the network module keeps and counts the rest."""
_VERDICTS: Final = {
    Verdict.ACCEPT: pb.VERDICT_ACCEPT,
    Verdict.REJECT: pb.VERDICT_REJECT,
    Verdict.IGNORE: pb.VERDICT_IGNORE,
}


class FollowedShard:
    """`Shard` over calls of `Subscribe`, one after another."""

    def __init__(self, pubsub_topic: str) -> None:
        self.pubsub_topic = pubsub_topic
        self._batches: asyncio.Queue[list[tuple[bytes, bytes]]] = asyncio.Queue(MAX_BATCHES)
        self._verdicts: list[Any] = []
        self._has_verdicts = asyncio.Event()

    async def messages(self) -> Sequence[tuple[bytes, bytes]]:
        return await self._batches.get()

    def judge(self, gossip_id: bytes, verdict: Verdict) -> None:
        judgement = pb.SubscribeRequest.Judgement(message_id=gossip_id, verdict=_VERDICTS[verdict])
        self._verdicts.append(judgement)
        self._has_verdicts.set()

    async def run(self, stub: "GossipAsyncStub", followed: asyncio.Event) -> None:
        """Follows the topic until cancelled; `followed` is set once that has begun."""
        while True:
            try:
                await self._follow(stub.Subscribe(), followed)
            except grpc.aio.AioRpcError as error:
                log.info(
                    "not following a shard, trying again",
                    extra={"shard": self.pubsub_topic, "code": error.code().name},
                )
            await asyncio.sleep(RETRY_S)

    async def _follow(self, call: Any, followed: asyncio.Event) -> None:
        start = pb.SubscribeRequest.Start(topic=self.pubsub_topic, validate=True)
        # Verdicts on messages of an earlier call are dropped: that call's end has ignored them.
        self._verdicts.clear()
        try:
            await write(call, pb.SubscribeRequest(start=start))
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write_verdicts(call))
                while (response := await call.read()) is not grpc.aio.EOF:
                    followed.set()
                    if response.lost:
                        log.warning("messages lost", extra={"count": response.lost})
                    if response.messages:
                        found = [(one.message_id, one.data) for one in response.messages]
                        await self._batches.put(found)
                writing.cancel()
        except* grpc.aio.AioRpcError as group:
            raise group.exceptions[0] from None
        finally:
            call.cancel()

    async def _write_verdicts(self, call: Any) -> None:
        while True:
            await self._has_verdicts.wait()
            self._has_verdicts.clear()
            judgements, self._verdicts = self._verdicts, []
            if judgements and not await write(call, pb.SubscribeRequest(judgements=judgements)):
                return


class NetworkGossip:
    """`Gossip` over `logos.network.v1.Gossip`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: GossipAsyncStub = GossipStub(channel)

    async def publish(self, pubsub_topic: str, raw: bytes) -> None:
        request = pb.PublishRequest(topic=pubsub_topic, data=raw)
        try:
            await self._stub.Publish(request, timeout=PUBLISH_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise _publish_error(error, pubsub_topic) from error

    @asynccontextmanager
    async def follow(self, pubsub_topic: str) -> AsyncIterator[FollowedShard]:
        shard, followed = FollowedShard(pubsub_topic), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(shard.run(self._stub, followed))
            with suppress(TimeoutError):  # it goes on trying
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await followed.wait()
            yield shard
            running.cancel()

    async def neighbours(self) -> dict[str, Neighbours]:
        try:
            listed = await self._stub.ListTopics(pb.ListTopicsRequest(), timeout=PUBLISH_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Gossip/ListTopics") from error
        return {
            topic.topic: Neighbours(
                tuple(peer.peer_id for peer in topic.peers),
                tuple(peer.peer_id for peer in topic.peers if peer.in_mesh),
                {peer.peer_id: peer.score for peer in topic.peers},
            )
            for topic in listed.topics
        }


def _publish_error(error: grpc.aio.AioRpcError, pubsub_topic: str) -> LogosError:
    reason = reason_of(error)
    if reason == "DUPLICATE_MESSAGE":
        return MessageKnownError("the same bytes were published within the last two minutes")
    if reason in {"NO_PEERS", "QUEUE_FULL"}:
        return NoNeighboursError(f"no neighbour took a message of {pubsub_topic}: {reason}")
    return failure_of(error, "Gossip/Publish")
