"""What a module could try on its kernel, run inside its container with all that it has.

Arguments: the name of another module, and the gRPC address of that. Prints what came of each
attempt, as JSON.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import echo_service
import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from logos.kernel.v1 import registry_pb2, registry_pb2_grpc
from logos_client.channels import channel_to
from logos_module.capabilities.identity import Identity
from logos_module.errors import reason_of


async def outcome(call: Awaitable[object]) -> str:
    """Returns the reason of a refusal, or `OK`."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return "OK"


async def register(registry: Any, name: str, secret: bytes, epoch: int) -> str:
    """Tries to register; returns what came of it."""
    identity = Identity(name, secrets.token_bytes(16), secret)
    request = registry_pb2.RegisterRequest(
        module=name,
        version="0.1.0",
        instance_id=identity.instance_id,
        endpoint=os.environ["LOGOS_LISTEN"],
        services=[f"test.{name}.Echo"],
        epoch=epoch,
    )
    challenge = await registry.Challenge(registry_pb2.ChallengeRequest(module=name))
    identity.sign(request, challenge.nonce)
    return await outcome(registry.Register(request))


async def attempts(other: str, address: str, own: str, secret: bytes) -> dict[str, str]:
    """Makes them as the module `own`."""
    service = echo_service.define(f"test.{other}")
    told = {}
    async with channel_to(os.environ["LOGOS_KERNEL"]) as kernel, channel_to(address) as direct:
        registry = registry_pb2_grpc.RegistryStub(kernel)
        told["another's name"] = await register(registry, other, secret, 1)
        told["a guessed secret"] = await register(registry, own, secrets.token_bytes(32), 1)
        told["an old epoch"] = await register(registry, own, secret, 1)
        echo = echo_service.stub(direct, service, "UnaryUnary")
        told["no token"] = await outcome(echo(BytesValue(value=b"x"), timeout=10))
        claims = (("logos-token-bin", 6 * secret), ("logos-proof-bin", secret))
        forged = echo(BytesValue(value=b"x"), timeout=10, metadata=claims)
        told["a forged token"] = await outcome(forged)
    return told


if __name__ == "__main__":
    own, secret = os.environ["LOGOS_MODULE"], Path(os.environ["LOGOS_JOIN_SECRET"]).read_bytes()
    json.dump(asyncio.run(attempts(*sys.argv[1:], own, secret)), sys.stdout)
