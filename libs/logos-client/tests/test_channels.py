"""Channels, and the bearer that they add to each call."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from certificates import make_certificate
from logos_client.channels import (
    CaFileError,
    InsecureAddressError,
    channel_to,
    open_channel,
    stays_here,
)
from logos_client.token_file import new_bearer


def seen_by(context: Any) -> bytes:
    return repr([(k, v) for k, v in context.invocation_metadata() if k != "user-agent"]).encode()


class Echo(grpc.GenericRpcHandler):
    """Answers each call with its metadata."""

    def service(self, handler_call_details: Any) -> Any:
        async def unary(_: Any, context: Any) -> bytes:
            return seen_by(context)

        async def stream(_: Any, context: Any) -> AsyncIterator[bytes]:
            yield seen_by(context)

        return {
            "/t.Echo/UnaryUnary": grpc.unary_unary_rpc_method_handler(unary),
            "/t.Echo/UnaryStream": grpc.unary_stream_rpc_method_handler(stream),
            "/t.Echo/StreamUnary": grpc.stream_unary_rpc_method_handler(unary),
            "/t.Echo/StreamStream": grpc.stream_stream_rpc_method_handler(stream),
        }[handler_call_details.method]


@asynccontextmanager
async def echo_at(address: str, tls: grpc.ServerCredentials | None = None) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Echo()])
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, tls)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def first_of(call: Any) -> bytes:
    async for message in call:
        return bytes(message)
    raise AssertionError("the stream is empty")


async def requests() -> AsyncIterator[bytes]:
    yield b""


CALLS: list[Callable[[grpc.aio.Channel, Any], Any]] = [
    lambda channel, given: channel.unary_unary("/t.Echo/UnaryUnary")(b"", metadata=given),
    lambda channel, given: first_of(
        channel.unary_stream("/t.Echo/UnaryStream")(b"", metadata=given)
    ),
    lambda channel, given: channel.stream_unary("/t.Echo/StreamUnary")(requests(), metadata=given),
    lambda channel, given: first_of(
        channel.stream_stream("/t.Echo/StreamStream")(requests(), metadata=given)
    ),
]


@pytest.mark.parametrize("call", CALLS)
async def test_each_call_carries_the_bearer_beside_its_own_metadata(call: Any) -> None:
    bearer = new_bearer()

    async with echo_at("127.0.0.1:0") as port:
        async with channel_to(f"127.0.0.1:{port}", bearer) as channel:
            plain, own = await call(channel, None), await call(channel, (("x-own", "1"),))
        async with channel_to(f"127.0.0.1:{port}") as channel:
            without = await call(channel, None)

    carried = ("authorization", f"Bearer {bearer}")
    assert plain.decode() == repr([carried])
    assert own.decode() == repr([carried, ("x-own", "1")])
    assert without.decode() == "[]"


async def test_a_bearer_travels_over_a_unix_socket(tmp_path: Path) -> None:
    bearer = new_bearer()

    async with (
        echo_at(f"unix:{tmp_path}/s.sock"),
        channel_to(f"unix:{tmp_path}/s.sock", bearer) as channel,
    ):
        assert bearer.encode() in await CALLS[0](channel, None)


@pytest.mark.parametrize(
    "target",
    ["10.210.16.18:7000", "example.org:17001", "0.0.0.0:17001", "dns:///node:1", "[::2]:1", ""],
)
async def test_a_bearer_does_not_leave_this_machine_in_clear_text(target: str) -> None:
    with pytest.raises(InsecureAddressError, match="ssh -L") as refused:
        open_channel(target, new_bearer())

    assert "--ca-file" in str(refused.value)
    assert refused.value.reason == "INSECURE_ADDRESS"
    await open_channel(target or "unused:1").close()


async def test_with_a_ca_file_a_bearer_travels_anywhere(tmp_path: Path) -> None:
    files, bearer = make_certificate(tmp_path), new_bearer()
    own = files.certificate.read_bytes()
    files.certificate.write_bytes("Zürich's own\n".encode() + own)  # as bundles of systems have
    tls = grpc.ssl_server_credentials([(files.key.read_bytes(), own)])

    async with (
        echo_at("127.0.0.1:0", tls) as port,
        channel_to(f"127.0.0.1:{port}", bearer, ca_file=files.certificate) as channel,
    ):
        assert bearer.encode() in await CALLS[0](channel, None)
    await open_channel("example.org:17001", bearer, ca_file=files.certificate).close()


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff", None])
def test_a_file_without_certificates_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CaFileError, match=rf"{path}: (?i:no) ") as refused:
        open_channel("127.0.0.1:1", ca_file=path)

    assert refused.value.reason == "CA_FILE_UNUSABLE"


def test_a_key_is_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(CaFileError, match="no certificate in PEM"):
        open_channel("127.0.0.1:1", ca_file=make_certificate(tmp_path).key)


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:17001",
        "127.1.2.3:1",
        "localhost:17001",
        "[::1]:17001",
        "ipv4:127.0.0.1:1",
        "ipv6:[::1]:1",
        "dns:///localhost:1",
        "unix:/run/a.sock",
        "unix:///run/a.sock",
        "unix-abstract:a",
    ],
)
def test_what_is_on_this_machine(target: str) -> None:
    assert stays_here(target)


@pytest.mark.parametrize(
    "target",
    [
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "dns://8.8.8.8/localhost:1",
        "localhost.evil.org:1",
        "xds:///x",
    ],
)
def test_what_may_be_elsewhere(target: str) -> None:
    assert not stays_here(target)
