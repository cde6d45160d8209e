"""What is asked of the network module for a request through the mix-net (DSN-10)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from mixnet_nodes import until

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixServicer, add_MixServicer_to_server
from logos_base.errors import ErrorKind, LogosError, NetworkUnavailableError
from logos_client.channels import open_channel
from logos_delivery.core.errors import LightPeerMissingError, PeerFailedError
from logos_delivery.net.mix import NetworkMix
from logos_module.server import Server
from open_access import OpenAccess

CODEC = "/test/1.0.0"
DELAY_MS = 700


def failure(kind: ErrorKind, reason: str) -> LogosError:
    made = type("Failure", (LogosError,), {"kind": kind, "reason": reason})
    error: LogosError = made("as the mix says")
    return error


class FakeMixModule(MixServicer):
    """A network module whose pool is listed two mixes a page."""

    def __init__(self) -> None:
        self.usable = ["a", "b", "c", "d", "e"]
        self.failure: LogosError | None = None
        self.requests: list[Any] = []
        self.replies: list[Any] = []
        self.come: list[bytes] = []

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._check()
        return pb.MixGetStatusResponse()

    async def ListMixes(self, request: Any, context: Any) -> Any:  # noqa: N802
        at = int(request.page_token or 0)
        page = [pb.KnownMix(peer_id=peer, usable=True) for peer in self.usable[at : at + 2]]
        more = str(at + 2) if at + 2 < len(self.usable) else ""
        unusable = pb.KnownMix(peer_id=f"unusable-{at}")
        return pb.ListMixesResponse(mixes=[*page, unusable], next_page_token=more)

    async def Request(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._check()
        self.requests.append(request)
        return pb.RequestResponse(content=b"answer to " + request.content)

    async def Listen(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield pb.MixListenResponse()
        for content in self.come:
            yield pb.MixListenResponse(content=content, reply_token=b"token of " + content)

    async def Reply(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.replies.append(request)
        return pb.ReplyResponse()

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


@pytest.fixture
async def module(short_folder: Path) -> AsyncIterator[tuple[FakeMixModule, grpc.aio.Channel]]:
    fake, server = FakeMixModule(), Server(OpenAccess())
    server.serve(add_MixServicer_to_server, fake)
    address = f"unix:{short_folder / 'm.sock'}"
    await server.start([address])
    async with open_channel(address) as channel:
        yield fake, channel
    await server.stop(0)


def mix_over(channel: grpc.aio.Channel, lacking: set[str] | None = None) -> NetworkMix:
    async def known(codec: str) -> set[str]:
        assert codec == CODEC
        return lacking or set()

    return NetworkMix(channel, known, mean_delay_ms=DELAY_MS)


async def test_a_request_says_how_long_each_hop_is_to_hold_it(module: Any) -> None:
    fake, channel = module

    peer, answer = await mix_over(channel).ask(CODEC, b"content", timeout_s=10)

    [request] = fake.requests
    assert (peer, answer) == (request.route.destination, b"answer to content")
    assert (request.codec, request.route.mean_delay.ToMilliseconds()) == (CODEC, DELAY_MS)


async def test_every_usable_mix_is_asked_but_those_that_lack_the_service(module: Any) -> None:
    fake, channel = module
    mix = mix_over(channel, {"b", "x"})

    asked = {(await mix.ask(CODEC, b"", timeout_s=10))[0] for _ in range(80)}

    assert asked == {"a", "c", "d", "e"}
    fake.usable = ["b"]
    assert (await mix.ask(CODEC, b"", timeout_s=10))[0] == "b"  # what is known may be old


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        (ErrorKind.FAILED_PRECONDITION, "MIX_POOL_TOO_SMALL", LightPeerMissingError),
        (ErrorKind.DEADLINE_EXCEEDED, "MIX_NO_ANSWER", PeerFailedError),
        (ErrorKind.UNAVAILABLE, "MIX_LINK_DOWN", PeerFailedError),
        (ErrorKind.NOT_FOUND, "MIX_DESTINATION_UNKNOWN", PeerFailedError),
        (ErrorKind.RESOURCE_EXHAUSTED, "MIX_QUEUE_FULL", NetworkUnavailableError),
    ],
)
async def test_a_failure_says_whether_the_request_may_have_left(
    module: Any, kind: ErrorKind, reason: str, expected: type[LogosError]
) -> None:
    fake, channel = module
    fake.failure = failure(kind, reason)

    with pytest.raises(expected):
        await mix_over(channel).ask(CODEC, b"", timeout_s=10)


async def test_without_a_mix_nothing_is_asked(module: Any) -> None:
    fake, channel = module
    fake.usable = []

    with pytest.raises(LightPeerMissingError):
        await mix_over(channel).ask(CODEC, b"", timeout_s=10)


async def test_it_is_off_only_where_the_module_says_so(module: Any) -> None:
    fake, channel = module
    mix = mix_over(channel)

    assert not await mix.is_off()
    fake.failure = failure(ErrorKind.UNAVAILABLE, "DRAINING")
    assert not await mix.is_off()
    fake.failure = failure(ErrorKind.FAILED_PRECONDITION, "MIX_OFF")
    assert await mix.is_off()


async def test_what_comes_is_answered_after_the_same_delay(module: Any) -> None:
    fake, channel = module
    fake.come = [b"one", b"no answer", b"two"]

    async def answer(peer: str, content: bytes) -> bytes | None:
        assert peer == ""
        return None if content == b"no answer" else b"to " + content

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(mix_over(channel).serve(CODEC, answer))
        await until(lambda: len(fake.replies) == 2)
        serving.cancel()

    found = {(one.reply_token, one.content) for one in fake.replies}
    assert found == {(b"token of one", b"to one"), (b"token of two", b"to two")}
    assert {one.mean_delay.ToMilliseconds() for one in fake.replies} == {DELAY_MS}
