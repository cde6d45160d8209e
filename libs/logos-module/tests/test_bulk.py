import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from logos.network.v1 import streams_pb2 as pb
from logos.network.v1 import streams_pb2_grpc as pb_grpc
from logos_client.channels import open_channel
from logos_module.bulk import BulkField, BulkMethod
from logos_module.server import Server
from open_access import OpenAccess

FIELD = BulkField(pb.CarryRequest)
METHOD = BulkMethod(BulkField(pb.CarryRequest), BulkField(pb.CarryResponse))


@pytest.mark.property
@given(st.lists(st.binary(max_size=300), max_size=4))
@example([b""])
@example([bytes(1 << 14), bytes(1 << 14)])
def test_pieces_are_what_protobuf_writes(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    wire = pb.CarryRequest(data=content).SerializeToString()

    assert FIELD.serialize([memoryview(piece) for piece in pieces]) == wire
    read = FIELD.deserialize(wire)
    assert isinstance(read, memoryview)
    assert read == content


def test_other_messages_pass_as_messages() -> None:
    message = pb.CarryRequest(open={"peer_id": "somebody", "protocol": "/x"})

    assert FIELD.deserialize(FIELD.serialize(message)) == message
    assert FIELD.deserialize(b"") == pb.CarryRequest()


def test_content_with_something_behind_it_is_read_by_protobuf() -> None:
    twice = pb.CarryRequest(data=b"one").SerializeToString()
    twice += pb.CarryRequest(data=b"two").SerializeToString()

    assert FIELD.deserialize(twice) == pb.CarryRequest(data=b"two")


@pytest.mark.property
@given(st.binary(max_size=40))
@example(b"\x1a")
@example(b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x1a\x05abc")
def test_any_bytes_read_as_protobuf_reads_them(raw: bytes) -> None:
    try:
        expected = pb.CarryRequest.FromString(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            FIELD.deserialize(raw)
        return

    read = FIELD.deserialize(raw)
    assert (pb.CarryRequest(data=bytes(read)) if isinstance(read, memoryview) else read) == expected


def test_a_field_must_be_bytes_of_a_oneof() -> None:
    with pytest.raises(ValueError, match="bytes field"):
        BulkField(pb.CarryRequest, "end")
    with pytest.raises(ValueError, match="bytes field"):
        BulkField(pb.ListenRequest, "protocol")


class Doubling(pb_grpc.StreamsServicer):
    """Gives every content back twice, in two pieces."""

    bulk: ClassVar[Mapping[str, BulkMethod]] = {"Carry": METHOD}

    async def Carry(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # type: ignore[override]  # noqa: N802
        async for request in requests:
            if isinstance(request, memoryview):
                yield [request, request]
            else:
                yield pb.CarryResponse(end=True)


async def test_a_server_and_its_callers_need_not_agree_on_bulk(tmp_path: Path) -> None:
    server = Server(OpenAccess())
    server.serve(pb_grpc.add_StreamsServicer_to_server, Doubling())
    await server.start([f"unix:{tmp_path}/s"])
    server.gate.refusal = None
    async with asyncio.timeout(60), open_channel(f"unix:{tmp_path}/s") as channel:
        plain: Any = pb_grpc.StreamsStub(channel)
        bulk: Any = channel.stream_stream("/logos.network.v1.Streams/Carry", **METHOD.serializers())

        requests = [pb.CarryRequest(data=b"ab"), pb.CarryRequest(end=True)]
        assert [one async for one in plain.Carry(iter(requests))] == [
            pb.CarryResponse(data=b"abab"),
            pb.CarryResponse(end=True),
        ]
        call = bulk()
        await call.write([b"a", memoryview(b"b")])
        assert await call.read() == b"abab"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
    await server.stop(0)
