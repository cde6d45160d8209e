"""Lightpush through the mix-net: requests to any mix, answered over reply blocks (DSN-6)."""

import asyncio
import logging
import secrets
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

MEAN_DELAY_MS: Final = 500
"""At each hop, there and back: answers come within 10 s, if the machine is not busy. It hides less
than the delay of a profile does, which would outlast the time in which a message is tried."""
ANSWER_TIMEOUT_S: Final = 25.0
"""Short of half the time in which a message is tried again: another path gets its turn."""
CALL_TIMEOUT_S: Final = 10.0
RETRY_S: Final = 2.0
MAX_ANSWERING: Final = 16


class NetworkMix:
    """Requests and answers over `logos.network.v1.Mix`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: MixAsyncStub = MixStub(channel)

    async def mixes(self) -> list[str]:
        """Returns the peer ids of mixes that are usable now. NetworkUnavailableError."""
        try:
            listed = await self._stub.ListMixes(pb.ListMixesRequest(), timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Mix/ListMixes") from error
        return [mix.peer_id for mix in listed.mixes if mix.usable]

    async def ask(self, codec: str, content: bytes) -> tuple[str, bytes]:
        """Asks a mix that is drawn by chance; returns its peer id and its answer, untrusted.

        Raises:
            LightPeerMissingError: No mix is known.
            PeerFailedError: No answer came in time; the request may have arrived.
            NetworkUnavailableError, NetworkDeniedError
        """
        mixes = await self.mixes()
        if not mixes:
            raise LightPeerMissingError("no mix is known")
        peer = secrets.choice(mixes)
        request = pb.RequestRequest(route=pb.Route(destination=peer), codec=codec, content=content)
        try:
            answer = await self._stub.Request(request, timeout=ANSWER_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if is_late or reason_of(error) in {"MIX_LINK_DOWN", "MIX_DESTINATION_UNKNOWN"}:
                raise PeerFailedError(f"no answer through the mix-net from {peer}") from error
            raise failure_of(error, "Mix/Request") from error
        return peer, answer.content

    async def serve(self, codec: str, answer: Answering) -> None:
        """Answers what comes through the mix-net, until cancelled; who asks is not known."""
        room = asyncio.Semaphore(MAX_ANSWERING)
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async for come in self._stub.Listen(pb.MixListenRequest(codec=codec)):
                        if come.content and not room.locked():
                            tasks.create_task(self._answer(come, answer, room))
                except grpc.aio.AioRpcError as error:
                    log.info("not listening to the mix", extra={"code": error.code().name})
                await asyncio.sleep(RETRY_S)

    async def _answer(
        self, come: pb.MixListenResponse, answer: Answering, room: asyncio.Semaphore
    ) -> None:
        async with room:
            try:
                response = await answer("", come.content)
                if response is not None and come.reply_token:
                    reply = pb.ReplyRequest(reply_token=come.reply_token, content=response)
                    reply.mean_delay.FromMilliseconds(MEAN_DELAY_MS)
                    await self._stub.Reply(reply, timeout=ANSWER_TIMEOUT_S)
            except (LogosError, grpc.aio.AioRpcError) as error:
                log.info("a request through the mix was not answered", extra={"error": str(error)})
