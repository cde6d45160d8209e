"""The end of a stream to a peer."""

from typing import Any

import grpc
import pytest

from logos.network.v1.streams_pb2 import CarryResponse
from logos_base.errors import StreamLostError
from logos_module.network.streams import PeerStream


class Call:
    """A call whose responses a test has written."""

    def __init__(self, *responses: Any) -> None:
        self.responses = list(responses)

    async def read(self) -> Any:
        return self.responses.pop(0)


def stream(*responses: Any) -> PeerStream:
    return PeerStream(Call(*responses), "chain")


END = CarryResponse(end=True)


async def test_a_stream_is_read_to_the_peer_s_end() -> None:
    one = stream(memoryview(b"data"), END)

    assert await one.receive() == b"data"
    assert await one.receive() is None
    assert await one.receive() is None


async def test_a_stream_is_over_when_the_call_has_ended() -> None:
    one = stream(memoryview(b"dropped"), END, grpc.aio.EOF)
    await one.finish()

    other = stream(END, grpc.aio.EOF)
    assert await other.receive() is None
    await other.finish()


async def test_a_call_that_ends_before_the_peer_has_is_a_loss() -> None:
    with pytest.raises(StreamLostError):
        await stream(memoryview(b"data"), grpc.aio.EOF).finish()
    with pytest.raises(StreamLostError):
        await stream(END, memoryview(b"more")).finish()
