"""Calls between two processes: a channel with a credential, and a server that asks for one."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nacl.signing import SigningKey

from logos.kernel.v1 import capability_pb2 as pb
from logos_base.capabilities import KERNEL, Claims, ModuleSubject, OperatorSubject, Role
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel, write
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.authorizer import TokenAuthorizer
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.metadata import CALLER_FIELD, PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.proofs import module_key, shared_key
from logos_module.capabilities.tokens import sign
from logos_module.capabilities.verifier import Verifier
from logos_module.errors import reason_of
from logos_module.server import Server

SIGNING = SigningKey(bytes(32))
NOW_S = 1000
KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")


class Echo:
    """Says who calls, in a method of each kind."""

    async def unary(self, _request: Any, context: Any) -> StringValue:
        return StringValue(value=repr(context.caller))

    async def stream(self, _request: Any, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value=repr(context.caller))


def add_echo(echo: Echo, server: Any) -> None:
    codec = {
        "request_deserializer": empty_pb2.Empty.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(echo.unary, **codec),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(echo.stream, **codec),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(echo.unary, **codec),
        "StreamStream": grpc.stream_stream_rpc_method_handler(echo.stream, **codec),
    }
    server.add_registered_method_handlers("test.Echo", handlers)


@dataclass
class Rig:
    """The server of `storage`, and what its kernel would give to callers."""

    channel: grpc.aio.Channel
    verifier: Verifier

    def credential(
        self, name: str, *, methods: tuple[str, ...] = ("test.Echo/*",), secret: bytes = b"c" * 32
    ) -> Credential:
        private = module_key(b"c" * 32, name)
        own = public_key_of(private)
        subject = ModuleSubject(name, b"i" * 16, 3)
        claims = Claims(b"t" * 16, subject, "storage", methods, NOW_S, NOW_S + 600, own)
        key = shared_key(
            module_key(secret, name),
            self.verifier.public_key,
            caller=own,
            callee=self.verifier.public_key,
            instance_id=b"i" * 16,
        )
        credential = Credential()
        credential.renew(sign(claims, SIGNING), claims.token_id, key, renew_at_s=NOW_S + 400)
        return credential


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    verifier = Verifier("storage", module_key(b"s" * 32, "storage"), lambda: NOW_S)
    verifier.trust([SIGNING.verify_key.encode()])
    server = Server(TokenAuthorizer(verifier))
    server.serve(add_echo, Echo())
    with tempfile.TemporaryDirectory() as folder:
        target = f"unix:{Path(folder, 's.sock')}"
        await server.start([target])
        async with open_channel(target) as channel:
            yield Rig(channel, verifier)
        await server.stop(0)


async def call(channel: grpc.aio.Channel, kind: str = "UnaryUnary", **options: Any) -> str:
    """Makes a call of a kind; returns the first response."""
    path, codec = f"/test.Echo/{kind}", (empty_pb2.Empty.SerializeToString, StringValue.FromString)
    begin = {
        "UnaryUnary": channel.unary_unary,
        "UnaryStream": channel.unary_stream,
        "StreamUnary": channel.stream_unary,
        "StreamStream": channel.stream_stream,
    }[kind](path, *codec)
    if kind.startswith("Unary"):
        begun = begin(empty_pb2.Empty(), **options)
    else:
        begun = begin(**options)
        # An iterator of requests would cancel a call that is refused before its first request.
        if await write(begun, empty_pb2.Empty()):
            with suppress(asyncio.InvalidStateError):  # it has ended since
                await begun.done_writing()
    response = await (begun.read() if kind.endswith("Stream") else begun)
    return str(response.value)


async def refusal(channel: grpc.aio.Channel, kind: str = "UnaryUnary", **options: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, kind, **options)
    return f"{caught.value.code().name} {reason_of(caught.value)}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_with_a_credential_says_who_calls(rig: Rig, kind: str) -> None:
    channel = AuthorizedChannel(rig.channel, rig.credential("chat"))

    for _ in range(3):
        assert await call(channel, kind) == repr(ModuleSubject("chat", b"i" * 16, 3))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_without_one_is_refused(rig: Rig, kind: str) -> None:
    assert await refusal(rig.channel, kind) == "UNAUTHENTICATED TOKEN_MISSING"
    assert (
        await refusal(AuthorizedChannel(rig.channel, Credential()), kind)
        == "UNAUTHENTICATED TOKEN_MISSING"
    )


async def test_a_token_that_was_overheard_is_of_no_use(rig: Rig) -> None:
    credential = rig.credential("chat")
    heard = credential.metadata("test.Echo/UnaryUnary")
    assert await call(rig.channel, metadata=heard)

    assert await refusal(rig.channel, metadata=heard) == "UNAUTHENTICATED PROOF_INVALID"
    alone = [(TOKEN_FIELD, heard[0][1])]
    assert await refusal(rig.channel, metadata=alone) == "UNAUTHENTICATED TOKEN_MISSING"
    forged = [*alone, (PROOF_FIELD, bytes(24))]
    assert await refusal(rig.channel, metadata=forged) == "UNAUTHENTICATED PROOF_INVALID"


async def test_another_methods_token_is_refused(rig: Rig) -> None:
    credential = rig.credential("chat", methods=("test.Echo/UnaryStream",))

    refused = await refusal(AuthorizedChannel(rig.channel, credential))

    assert refused == "PERMISSION_DENIED METHOD_DENIED"


async def test_another_modules_key_does_not_prove_a_token(rig: Rig) -> None:
    credential = rig.credential("chat", secret=b"x" * 32)

    refused = await refusal(AuthorizedChannel(rig.channel, credential))

    assert refused == "UNAUTHENTICATED PROOF_INVALID"


OPERATOR = pb.CallerInfo(operator={"name": "ada", "role": pb.ROLE_VIEWER})
MODULE = pb.CallerInfo(module={"name": "chat", "instance_id": b"j" * 16, "epoch": 2})


@pytest.mark.parametrize(
    ("said", "subject"),
    [
        (OPERATOR, OperatorSubject("ada", Role.VIEWER)),
        (MODULE, ModuleSubject("chat", b"j" * 16, 2)),
    ],
)
async def test_the_kernel_says_who_is_behind_a_call(
    rig: Rig, said: pb.CallerInfo, subject: object
) -> None:
    told = [(CALLER_FIELD, said.SerializeToString())]
    kernel = AuthorizedChannel(rig.channel, rig.credential(KERNEL))
    chat = AuthorizedChannel(rig.channel, rig.credential("chat"))

    assert await call(kernel, metadata=told) == repr(subject)
    assert await call(kernel) == repr(ModuleSubject(KERNEL, b"i" * 16, 3))
    assert await call(chat, metadata=told) == repr(ModuleSubject("chat", b"i" * 16, 3))


@pytest.mark.parametrize("said", [b"\xff", b"", pb.CallerInfo(operator={}).SerializeToString()])
async def test_a_caller_that_cannot_be_read_is_refused(rig: Rig, said: bytes) -> None:
    kernel = AuthorizedChannel(rig.channel, rig.credential(KERNEL))

    refused = await refusal(kernel, metadata=[(CALLER_FIELD, said)])

    assert refused == "UNAUTHENTICATED TOKEN_INVALID"


async def test_health_needs_no_token(rig: Rig) -> None:
    response = await health_pb2_grpc.HealthStub(rig.channel).Check(health_pb2.HealthCheckRequest())

    assert response.status == health_pb2.HealthCheckResponse.NOT_SERVING
