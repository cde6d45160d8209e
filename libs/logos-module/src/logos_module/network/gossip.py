"""Topics that a module follows and publishes to, through the network module of its node."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1 import gossip_pb2 as pb
from logos.network.v1.gossip_pb2_grpc import GossipStub
from logos_base.errors import (
    LogosError,
    MessageKnownError,
    MessageOversizeError,
    NoNeighboursError,
)
from logos_base.gossip import Heard, Neighbours, Verdict
from logos_client.channels import write
from logos_module.errors import reason_of
from logos_module.network.calls import failure_of

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


class FollowedTopic:
    """A topic that is followed over calls of `Subscribe`, one after another."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._batches: asyncio.Queue[list[Heard]] = asyncio.Queue(MAX_BATCHES)
        self._verdicts: list[Any] = []
        self._has_verdicts = asyncio.Event()

    async def messages(self) -> Sequence[Heard]:
        """Waits for messages, at least one. Untrusted."""
        return await self._batches.get()

    def judge(self, gossip_id: bytes, verdict: Verdict) -> None:
        """Gives the verdict on a message, once; after four seconds it is ignored (NET-8)."""
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
                    "not following a topic, trying again",
                    extra={"topic": self.topic, "code": error.code().name},
                )
            await asyncio.sleep(RETRY_S)

    async def _follow(self, call: Any, followed: asyncio.Event) -> None:
        start = pb.SubscribeRequest.Start(topic=self.topic, validate=True)
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
                        await self._batches.put([_heard(one) for one in response.messages])
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
    """The topics of one module, over `logos.network.v1.Gossip`."""

    def __init__(self, channel: grpc.aio.Channel, module: str) -> None:
        """Takes the channel to the network module, and the name of the module itself."""
        self._stub: GossipAsyncStub = GossipStub(channel)
        self._module = module

    async def publish(self, topic: str, data: bytes) -> None:
        """Passes a message to the neighbours that follow a topic, one at least.

        Raises:
            NoNeighboursError: There is none, or none has room.
            MessageKnownError: The same bytes were published within the last two minutes.
            MessageOversizeError: It is larger than the network module takes (NET-7).
            NetworkUnavailableError, NetworkDeniedError
        """
        request = pb.PublishRequest(topic=topic, data=data)
        try:
            await self._stub.Publish(request, timeout=PUBLISH_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise self._publish_error(error, topic) from error

    @asynccontextmanager
    async def follow(self, topic: str) -> AsyncIterator[FollowedTopic]:
        """Follows a topic for as long as the context is open; goes on after any interruption."""
        topic_followed, followed = FollowedTopic(topic), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(topic_followed.run(self._stub, followed))
            with suppress(TimeoutError):  # it goes on trying
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await followed.wait()
            yield topic_followed
            running.cancel()

    async def neighbours(self) -> dict[str, Neighbours]:
        """Returns the topics that this node follows.

        Raises NetworkUnavailableError, NetworkDeniedError.
        """
        try:
            listed = await self._stub.ListTopics(pb.ListTopicsRequest(), timeout=PUBLISH_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self._module, "Gossip/ListTopics") from error
        return {
            topic.topic: Neighbours(
                tuple(peer.peer_id for peer in topic.peers),
                tuple(peer.peer_id for peer in topic.peers if peer.in_mesh),
                {peer.peer_id: peer.score for peer in topic.peers},
            )
            for topic in listed.topics
        }

    def _publish_error(self, error: grpc.aio.AioRpcError, topic: str) -> LogosError:
        reason = reason_of(error)
        if reason == MessageKnownError.reason:
            return MessageKnownError("the same bytes were published within the last two minutes")
        if reason in {NoNeighboursError.reason, "QUEUE_FULL"}:
            return NoNeighboursError(f"no neighbour took a message of {topic}: {reason}")
        if reason == MessageOversizeError.reason:
            return MessageOversizeError(error.details() or reason)
        return failure_of(error, self._module, "Gossip/Publish")


def _heard(message: pb.GossipMessage) -> Heard:
    return Heard(message.message_id, message.data, message.from_peer_id)
