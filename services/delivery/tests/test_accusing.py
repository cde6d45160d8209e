"""DSN-19, DSN-25: members that used an id twice are reported to their registry."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from logos.network.v1 import registry_pb2 as pb
from logos.network.v1 import registry_pb2_grpc
from logos_base.errors import ErrorKind, LogosError, NetworkUnavailableError
from logos_client.channels import open_channel
from logos_delivery.config import parse
from logos_delivery.core.errors import ReportRefusedError
from logos_delivery.core.relay.relay_guard import Convict, RelayRules
from logos_delivery.net.registry import NetworkRegistry
from logos_delivery.operations.accusing import MAX_WAITING, Accusing
from logos_delivery.operations.relay import RelayOperations
from logos_module.neighbours import CallsDeniedError
from logos_module.server import Server
from open_access import OpenAccess

ONE, TWO, THREE = (bytes([each]) * 32 for each in (1, 2, 3))
ID = bytes(32)


class Scripted:
    """A registry that fails as it is told."""

    def __init__(self, *errors: LogosError) -> None:
        self.errors = list(errors)
        self.reported: list[bytes] = []
        self.done = asyncio.Event()
        self.wanted = 1

    async def report(self, secret: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.reported.append(secret)
        if len(self.reported) == self.wanted:
            self.done.set()


async def run(accusing: Accusing, until: asyncio.Event) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(accusing.run())
        await until.wait()
        task.cancel()


async def test_a_secret_that_was_recovered_is_reported_once() -> None:
    class Recovering:
        async def convict(self, _identifier: bytes, one: bytes, _other: bytes) -> bytes | None:
            return one or None

    gossip: Any = None
    proofs: Any = Recovering()
    relay = RelayOperations(gossip, proofs, RelayRules(), lambda: 0)
    registry = Scripted()
    accusing = Accusing(registry)
    await relay._convict(Convict(ID, THREE, THREE))  # none is told, and nothing fails
    relay.accuse = accusing.put
    await relay._convict(Convict(ID, b"", ONE))
    for _ in range(2):
        await relay._convict(Convict(ID, ONE, TWO))
    await run(accusing, registry.done)
    assert registry.reported == [ONE]


async def test_a_registry_that_is_away_is_told_later_and_one_that_refuses_is_not() -> None:
    registry = Scripted(NetworkUnavailableError("away"), ReportRefusedError("no member"))
    accusing = Accusing(registry, retry_s=0.01)
    for each in (ONE, TWO):
        accusing.put(each)
    await run(accusing, registry.done)
    assert registry.reported == [TWO]


async def test_the_newest_wait() -> None:
    registry = Scripted()
    registry.wanted = MAX_WAITING
    accusing = Accusing(registry)
    secrets = [each.to_bytes(32, "big") for each in range(MAX_WAITING + 1)]
    for each in secrets:
        accusing.put(each)
    await run(accusing, registry.done)
    assert registry.reported == secrets[1:]


class RefusingError(LogosError):
    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_EVIDENCE_INVALID"


class AwayError(LogosError):
    kind = ErrorKind.UNAVAILABLE
    reason = "RLN_REGISTRY_BEHIND"


class Served(registry_pb2_grpc.RegistryServicer):
    def __init__(self) -> None:
        self.errors: list[LogosError] = [RefusingError("no member"), AwayError("behind")]
        self.secrets: list[bytes] = []

    async def ReportSlash(self, request: Any, context: Any) -> pb.ReportSlashResponse:  # noqa: N802
        if self.errors:
            raise self.errors.pop(0)
        self.secrets.append(request.secret)
        return pb.ReportSlashResponse()


async def test_the_registry_is_called_and_its_errors_are_told_apart(tmp_path: Path) -> None:
    served, server = Served(), Server(OpenAccess())
    server.serve(registry_pb2_grpc.add_RegistryServicer_to_server, served)
    address = f"unix:{tmp_path / 'registry.sock'}"
    await server.start([address])
    try:
        async with open_channel(address) as channel:

            async def connect() -> Any:
                return channel

            registry = NetworkRegistry(connect)
            with pytest.raises(ReportRefusedError, match="RLN_EVIDENCE_INVALID"):
                await registry.report(ONE)
            with pytest.raises(NetworkUnavailableError, match="RLN_REGISTRY_BEHIND"):
                await registry.report(ONE)
            await registry.report(ONE)
    finally:
        await server.stop(0)
    assert served.secrets == [ONE]


async def test_a_module_that_may_not_be_called_is_a_refusal() -> None:
    async def connect() -> Any:
        raise CallsDeniedError("no")

    with pytest.raises(ReportRefusedError):
        await NetworkRegistry(connect).report(ONE)


@pytest.mark.parametrize("value", ["No", 1, "module:chain"])
def test_the_setting_is_the_name_of_a_module(value: object) -> None:
    assert parse({"rln_registry": "chain"}).rln_registry == "chain"
    with pytest.raises(Exception, match="rln_registry"):
        parse({"rln_registry": value})
