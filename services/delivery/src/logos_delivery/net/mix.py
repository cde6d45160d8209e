"""Requests through the mix-net to any mix, answered over reply blocks (DSN-10)."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_base.errors import LogosError
from logos_delivery.core.errors import LightPeerMissingError, PeerFailedError
from logos_delivery.core.ports import Answering
from logos_delivery.net.calls import failure_of
from logos_module.errors import reason_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.mix_pb2_grpc import MixAsyncStub

log = logging.getLogger(__name__)

REPLY_TIMEOUT_S: Final = 25.0
CALL_TIMEOUT_S: Final = 10.0
RETRY_S: Final = 2.0
OFF_RETRY_S: Final = 60.0
MAX_ANSWERING: Final = 16
PAGE: Final = 1_000

Lacking = Callable[[str], Awaitable[AbstractSet[str]]]
"""Takes a protocol id; returns the peers that are known not to speak it."""


class NetworkMix:
    """Requests and answers over `logos.network.v1.Mix`."""

    def __init__(self, channel: grpc.aio.Channel, lacking: Lacking, *, mean_delay_ms: int) -> None:
        """`mean_delay_ms` is that of each hop, there and back, and before the first of each."""
        self._stub: MixAsyncStub = MixStub(channel)
        self._lacking = lacking
        self._mean_delay_ms = mean_delay_ms

    async def is_off(self) -> bool:
        try:
            await self._stub.GetStatus(pb.MixGetStatusRequest(), timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return reason_of(error) == "MIX_OFF"
        return False

    async def mixes(self) -> list[str]:
        """Returns the peer ids of mixes that are usable now. NetworkUnavailableError."""
        request, found = pb.ListMixesRequest(page_size=PAGE), list[str]()
        while True:
            try:
                listed = await self._stub.ListMixes(request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                raise failure_of(error, "Mix/ListMixes") from error
            found += [mix.peer_id for mix in listed.mixes if mix.usable]
            if not listed.next_page_token:
                return found
            request.page_token = listed.next_page_token

    async def ask(self, codec: str, content: bytes, *, timeout_s: float) -> tuple[str, bytes]:
        peer = secrets.choice(await self._askable(codec))
        request = pb.RequestRequest(route=pb.Route(destination=peer), codec=codec, content=content)
        # The profile's own delay may outlast the time in which a message is tried.
        request.route.mean_delay.FromMilliseconds(self._mean_delay_ms)
        try:
            answer = await self._stub.Request(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _ask_error(error, peer) from error
        return peer, answer.content

    async def _askable(self, codec: str) -> list[str]:
        """The mixes that may answer for a codec: all but those that are known not to.

        Neighbours are not preferred: who sees where a message leaves the mix-net would else find
        its sender among the neighbours of that node.
        """
        mixes = await self.mixes()
        lacking = await self._lacking(codec)
        askable = [peer for peer in mixes if peer not in lacking] or mixes
        if not askable:
            raise LightPeerMissingError("no mix is known")
        return askable

    async def serve(self, codec: str, answer: Answering) -> None:
        """Answers what comes through the mix-net, until cancelled; who asks is not known."""
        room = asyncio.Semaphore(MAX_ANSWERING)
        async with asyncio.TaskGroup() as tasks:
            while True:
                pause_s = RETRY_S
                try:
                    async for come in self._stub.Listen(pb.MixListenRequest(codec=codec)):
                        if come.content and not room.locked():
                            tasks.create_task(self._answer(come, answer, room))
                except grpc.aio.AioRpcError as error:
                    reason = reason_of(error)
                    pause_s = OFF_RETRY_S if reason == "MIX_OFF" else RETRY_S
                    text = "not listening to the mix"
                    log.info(text, extra={"code": error.code().name, "reason": reason})
                await asyncio.sleep(pause_s)

    async def _answer(
        self, come: pb.MixListenResponse, answer: Answering, room: asyncio.Semaphore
    ) -> None:
        async with room:
            try:
                response = await answer("", come.content)
                if response is not None and come.reply_token:
                    reply = pb.ReplyRequest(reply_token=come.reply_token, content=response)
                    reply.mean_delay.FromMilliseconds(self._mean_delay_ms)
                    await self._stub.Reply(reply, timeout=REPLY_TIMEOUT_S)
            except (LogosError, grpc.aio.AioRpcError) as error:
                log.info("a request through the mix was not answered", extra={"error": str(error)})


def _ask_error(error: grpc.aio.AioRpcError, peer: str) -> LogosError:
    reason = reason_of(error)
    if reason == "MIX_POOL_TOO_SMALL":
        return LightPeerMissingError("too few mixes are known")
    is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    if is_late or reason in {"MIX_LINK_DOWN", "MIX_DESTINATION_UNKNOWN"}:
        return PeerFailedError(f"no answer through the mix-net from {peer}")
    return failure_of(error, "Mix/Request")
