"""A module's side of its registration, against a registry in the test."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos.kernel.v1 import module_pb2, registry_pb2, registry_pb2_grpc
from logos_base.capabilities import Claims, Revocation
from logos_base.errors import ErrorKind, LogosError
from logos_base.manifest import Manifest
from logos_client.channels import open_channel
from logos_module import session
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.identity import Identity
from logos_module.capabilities.joining import KernelUnprovenError, join_proof
from logos_module.capabilities.metadata import TOKEN_FIELD
from logos_module.capabilities.tokens import key_id_of, verify
from logos_module.conformance import answers as fake_kernel
from logos_module.context import ModuleContext
from logos_module.environment import Environment
from logos_module.errors import ModuleNotReadyError
from logos_module.events import Events
from logos_module.neighbours import CallsDeniedError, Neighbours
from logos_module.server import Server
from logos_module.session import KernelSession, RegistrationRefusedError
from open_access import OpenAccess

MANIFEST = Manifest("storage", "0.1.0", services=("logos.storage.v1.Storage",))


class StaleError(LogosError):
    kind = ErrorKind.ABORTED
    reason = "STALE_EPOCH"


class LostError(LogosError):
    kind = ErrorKind.NOT_FOUND
    reason = "LEASE_UNKNOWN"


class NoSuchModuleError(LogosError):
    kind = ErrorKind.NOT_FOUND
    reason = "MODULE_NOT_FOUND"


class PolicyDeniedError(LogosError):
    kind = ErrorKind.PERMISSION_DENIED
    reason = "POLICY_DENIED"


@dataclass
class Registry(registry_pb2_grpc.RegistryServicer):
    """Answers as the test wishes, and remembers what it was told."""

    ttl_ms: int = 15_000
    epoch: int = 3
    register_error: LogosError | None = None
    session_error: LogosError | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    endpoint: str = ""
    registered: list[Any] = field(default_factory=list)
    beats: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    left: list[bytes] = field(default_factory=list)

    is_impostor: bool = False
    resolved: list[str] = field(default_factory=list)
    revocations: list[registry_pb2.Revocation] = field(default_factory=list)

    async def Challenge(self, request: Any, context: Any) -> Any:  # noqa: N802
        return fake_kernel.challenge()

    async def Register(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.registered.append(request)
        if self.register_error is not None:
            raise self.register_error
        response = fake_kernel.grant(
            request,
            ttl_ms=self.ttl_ms,
            lease_id=len(self.registered).to_bytes(16, "big"),
            epoch=self.epoch,
            settings_json=json.dumps({"quota": 2**60}),
            node="node1",
            testnet="small",
        )
        if self.is_impostor:
            response.kernel_proof = bytes(32)
        return response

    async def Session(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for beat in requests:
            await self.beats.put(beat)
            if self.session_error is not None:
                error, self.session_error = self.session_error, None
                raise error
            yield registry_pb2.SessionResponse(
                stop=self.stop.is_set(), revocations=self.revocations
            )

    async def Deregister(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.left.append(request.lease_id)
        return registry_pb2.DeregisterResponse()

    async def Resolve(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.module == "gone":
            raise NoSuchModuleError("no such module")
        if request.module == "chain":
            raise PolicyDeniedError("storage does not declare it")
        if not self.endpoint:
            raise ModuleNotReadyError("not yet")
        self.resolved.append(request.module)
        return registry_pb2.ResolveResponse(
            endpoint=self.endpoint,
            epoch=1,
            public_key=fake_kernel.KERNEL_KEY,
            token=fake_kernel.token(self.registered[-1], request.module, [str(len(self.resolved))]),
        )


class Bench:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.address = f"unix:{folder}/kernel.sock"
        self.registry = Registry()
        self.server = self.make_server()
        self.channel = open_channel(self.address)
        environment = Environment(
            module="storage",
            kernel=self.address,
            listen="unix:/run/storage.sock",
            state_dir=Path(folder),
            join_secret=fake_kernel.make_secret(Path(folder)),
            epoch=3,
            is_beside=False,
            log_level="INFO",
            metrics_listen=None,
        )
        self.in_flight = 0
        self.now_s = 1000
        self.identity = Identity("storage", b"i" * 16, fake_kernel.SECRET, lambda: self.now_s)
        self.neighbours = Neighbours(self.channel, self.identity)
        self.session = KernelSession(
            self.channel, environment, MANIFEST, self.identity, lambda: self.in_flight
        )

    def make_server(self) -> Server:
        server = Server(OpenAccess())
        server.serve(registry_pb2_grpc.add_RegistryServicer_to_server, self.registry)
        return server

    async def beat(self) -> Any:
        return await asyncio.wait_for(self.registry.beats.get(), 60)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Bench(folder)
        await made.server.start([made.address])
        async with asyncio.timeout(60):
            yield made
        await made.channel.close()
        await made.server.stop(0)


def claims_of(credential: Credential) -> Claims:
    token = dict(credential.metadata("a.b.C/D"))[TOKEN_FIELD]
    return verify(token, {key_id_of(fake_kernel.SIGNING_KEY): fake_kernel.SIGNING.verify_key})


class _EndError(Exception):
    """Ends a test's tasks."""


async def _while_running(
    bench: Bench, check: Callable[[], Any], stop: Callable[[], None] = lambda: None
) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bench.session.run(stop, bench.neighbours.renew))
            await check()
            raise _EndError
    except* _EndError:
        pass


async def test_a_registration_says_who_it_is_and_learns_where_it_is(bench: Bench) -> None:
    await bench.session.register()

    request = bench.registry.registered[0]
    assert (request.module, request.version, request.epoch) == ("storage", "0.1.0", 3)
    assert request.instance_id == b"i" * 16
    assert request.endpoint == "unix:/run/storage.sock"
    assert list(request.services) == ["logos.storage.v1.Storage"]
    assert (bench.session.node, bench.session.testnet, bench.session.epoch) == (
        "node1",
        "small",
        3,
    )
    assert bench.session.settings == {"quota": 2**60}
    assert request.join_proof == join_proof(
        fake_kernel.SECRET,
        nonce=fake_kernel.NONCE,
        module="storage",
        instance_id=b"i" * 16,
        endpoint="unix:/run/storage.sock",
        public_key=bench.identity.public_key,
    )
    assert claims_of(bench.identity.for_kernel).methods == ("*",)


async def test_a_kernel_that_does_not_know_the_secret_is_not_believed(bench: Bench) -> None:
    bench.registry.is_impostor = True

    with pytest.raises(KernelUnprovenError):
        await bench.session.register()


async def test_tokens_are_renewed_at_half_their_time(bench: Bench) -> None:
    await bench.session.register()
    bench.registry.endpoint = bench.address
    await bench.neighbours.channel("mixnet")
    bench.now_s += 299
    await bench.neighbours.renew()
    assert bench.registry.resolved == ["mixnet"]

    bench.now_s += 1
    await bench.neighbours.renew()

    assert bench.registry.resolved == ["mixnet", "kernel", "mixnet"]
    assert claims_of(bench.identity.for_kernel).methods == ("2",)
    await bench.neighbours.close()


async def test_what_the_kernel_revokes_is_refused(bench: Bench) -> None:
    await bench.session.register()
    bench.registry.revocations = [registry_pb2.Revocation(module="chat", before_epoch=7)]

    async def check() -> None:
        while not bench.identity.verifier._revoked:  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.01)

    await _while_running(bench, check)

    assert bench.identity.verifier._revoked == {"chat": Revocation("chat", before_epoch=7)}


async def test_tokens_of_an_old_key_or_of_other_rules_are_renewed(bench: Bench) -> None:
    await bench.session.register()
    bench.registry.endpoint = bench.address
    credential = bench.identity.for_kernel
    assert not bench.identity.is_due(credential)

    bench.identity.trust([b"\1" * 32, fake_kernel.SIGNING_KEY])
    assert bench.identity.is_due(credential)
    await bench.neighbours.renew()
    assert not bench.identity.is_due(credential)
    bench.identity.expire()
    assert bench.identity.is_due(credential)


async def test_it_waits_for_a_kernel(bench: Bench) -> None:
    await bench.server.stop(0)
    async with asyncio.TaskGroup() as tasks:
        registering = tasks.create_task(bench.session.register())
        await asyncio.sleep(0.2)
        assert not registering.done()
        bench.server = bench.make_server()
        await bench.server.start([bench.address])


async def test_it_says_once_why_it_waits_and_that_it_is_over(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(session, "RETRY_MAX_S", 0.01)
    bench.registry.register_error = ModuleNotReadyError("no room for your epoch")
    async with asyncio.TaskGroup() as tasks:
        registering = tasks.create_task(bench.session.register())
        while len(bench.registry.registered) < 5:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)
        bench.registry.register_error = None
        await registering

    said = [one for one in caplog.records if one.name == "logos_module.session"]
    assert [(one.levelname, one.message) for one in said] == [
        ("WARNING", "kernel does not register this module, retrying"),
        ("INFO", "registered"),
    ]
    assert vars(said[0])["why"] == "no room for your epoch"
    assert vars(said[0])["kernel"] == bench.address


async def test_what_hinders_clients_is_said_before_all_else(bench: Bench) -> None:
    await bench.session.register()
    bench.session.update(text="fetching", trouble="the socket was removed")

    async def check() -> None:
        assert (await bench.beat()).status_text == "the socket was removed"
        bench.session.update(trouble="")
        assert (await bench.beat()).status_text == "fetching"

    await _while_running(bench, check)


@pytest.mark.parametrize("error", [StaleError("older"), NoSuchModuleError("unknown")])
async def test_a_refusal_for_good_ends_it(bench: Bench, error: LogosError) -> None:
    bench.registry.register_error = error

    with pytest.raises(RegistrationRefusedError, match=error.reason):
        await bench.session.register()


async def test_it_beats_at_a_third_of_the_ttl_with_what_it_says(bench: Bench) -> None:
    bench.registry.ttl_ms = 150
    await bench.session.register()
    bench.in_flight = 5

    async def check() -> None:
        for _ in range(3):
            beat = await bench.beat()
            assert beat.lease_id == (1).to_bytes(16, "big")
            assert beat.state == module_pb2.MODULE_STATE_REGISTERED
            assert beat.in_flight == 5

    await _while_running(bench, check)


async def test_news_are_sent_at_once(bench: Bench) -> None:
    bench.registry.ttl_ms = 3_600_000  # no beat is due: only news can come
    await bench.session.register()

    async def check() -> None:
        await bench.beat()
        bench.session.update(state=session.READY, text="é" * 300)
        beat = await bench.beat()
        assert (beat.state, beat.status_text) == (module_pb2.MODULE_STATE_READY, "é" * 100)

    await _while_running(bench, check)


async def test_a_directive_stops_it(bench: Bench) -> None:
    await bench.session.register()
    stopped = asyncio.Event()
    bench.registry.stop.set()

    await _while_running(bench, stopped.wait, stopped.set)


async def test_a_lost_lease_is_asked_for_again_with_its_epoch(bench: Bench) -> None:
    await bench.session.register()
    bench.session.update(state=session.READY)
    bench.registry.session_error = LostError("gone")

    async def check() -> None:
        await bench.beat()
        beat = await bench.beat()
        assert beat.lease_id == (2).to_bytes(16, "big")
        assert beat.state == module_pb2.MODULE_STATE_READY
        assert [one.epoch for one in bench.registry.registered] == [3, 3]

    await _while_running(bench, check)


async def test_it_registers_again_when_a_kernel_is_back(bench: Bench) -> None:
    await bench.session.register()

    async def check() -> None:
        await bench.beat()
        await bench.server.stop(0)
        bench.server = bench.make_server()
        await bench.server.start([bench.address])
        assert (await bench.beat()).lease_id == (2).to_bytes(16, "big")

    await _while_running(bench, check)


async def test_a_newer_instance_ends_it(bench: Bench) -> None:
    await bench.session.register()
    bench.registry.session_error = StaleError("newer")

    with pytest.raises(RegistrationRefusedError):
        await bench.session.run(lambda: None, bench.neighbours.renew)


async def test_leaving_without_a_kernel_is_no_error(bench: Bench) -> None:
    await bench.session.register()

    await bench.session.leave()
    await bench.server.stop(0)
    await bench.session.leave()

    assert bench.registry.left == [(1).to_bytes(16, "big")]


async def test_a_channel_waits_until_its_module_is_ready_and_is_kept(bench: Bench) -> None:
    await bench.session.register()
    async with asyncio.TaskGroup() as tasks:
        context = ModuleContext(
            session=bench.session,
            server=bench.server,
            neighbours=bench.neighbours,
            events=Events(bench.channel, "storage"),
            state_dir=Path(bench.folder),
            module="storage",
            instance_id=b"i" * 16,
            tasks=tasks,
            stopping=asyncio.Event(),
        )
        first = tasks.create_task(context.channel("mixnet"))
        second = tasks.create_task(context.channel("mixnet"))
        await asyncio.sleep(0.3)
        assert not first.done()
        bench.registry.endpoint = bench.address

        assert await first is await second
        with pytest.raises(grpc.aio.AioRpcError):
            await context.channel("gone")
        with pytest.raises(CallsDeniedError, match="does not declare it"):
            await context.channel("chain")
        await bench.neighbours.close()


async def test_each_beat_is_progress_until_the_module_counts_its_own(bench: Bench) -> None:
    bench.registry.ttl_ms = 150
    await bench.session.register()

    async def check() -> None:
        first, second = await bench.beat(), await bench.beat()
        assert second.progress == first.progress + 1
        bench.session.get_on()
        while (beat := await bench.beat()).progress != second.progress + 1:
            assert beat.progress < second.progress + 5
        for _ in range(3):
            assert (await bench.beat()).progress == beat.progress
        bench.session.get_on()
        while (await bench.beat()).progress == beat.progress:
            pass

    await _while_running(bench, check)


async def test_a_watchdog_makes_it_beat_more_often(bench: Bench) -> None:
    manifest = replace(MANIFEST, watchdog_ms=150)
    bench.registry.ttl_ms = 3_600_000  # for which no beat would be due
    bench.session._manifest = manifest
    await bench.session.register()

    async def check() -> None:
        for _ in range(3):
            await bench.beat()

    await _while_running(bench, check)


async def test_only_what_is_ready_says_that_it_does_not_serve(bench: Bench) -> None:
    bench.registry.ttl_ms = 3_600_000
    await bench.session.register()

    async def check() -> None:
        await bench.beat()
        bench.session.update(is_serving=False)
        assert not (await bench.beat()).not_serving
        bench.session.update(state=session.READY)
        assert (await bench.beat()).not_serving
        bench.session.update(is_serving=True)
        assert not (await bench.beat()).not_serving

    await _while_running(bench, check)
