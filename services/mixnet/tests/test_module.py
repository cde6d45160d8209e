"""The module as a process, with as much of a kernel as it takes to start it."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from mixnet_nodes import at, own_ports, refused, until

from logos.kernel.v1 import module_pb2, registry_pb2, registry_pb2_grpc
from logos.network.v1 import (
    gossip_pb2,
    gossip_pb2_grpc,
    peering_pb2,
    peering_pb2_grpc,
    rln_pb2,
    rln_pb2_grpc,
)
from logos_base.manifest import parse_manifest
from logos_client.channels import open_channel
from logos_module.conformance import answers as fake_kernel
from logos_module.genesis import GenesisJob, NodeGenesis
from logos_module.server import Server
from open_access import OpenAccess

pytestmark = [pytest.mark.native, pytest.mark.integration]

SEED_7_NODE1 = "16Uiu2HAm1y6ts52Jtnv3vMnfQMT4fXtdkigab7S9szufSnSeXVPT"


class OneModuleRegistry(registry_pb2_grpc.RegistryServicer):
    """Registers every module that asks, and remembers what it reports."""

    def __init__(self, settings: dict[str, object]) -> None:
        self._settings = settings
        self.states: list[int] = []
        self.text = ""

    async def Challenge(self, request: Any, context: Any) -> registry_pb2.ChallengeResponse:  # noqa: N802
        return fake_kernel.challenge()

    async def Register(self, request: Any, context: Any) -> registry_pb2.RegisterResponse:  # noqa: N802
        return fake_kernel.grant(
            request,
            lease_id=bytes(16),
            epoch=1,
            settings_json=json.dumps(self._settings),
            node="node1",
            testnet="test",
        )

    async def Session(self, requests: Any, context: Any) -> Any:  # noqa: N802
        async for request in requests:
            self.states.append(request.state)
            self.text = request.status_text
            yield registry_pb2.SessionResponse(ttl={"seconds": 15})

    async def Deregister(self, request: Any, context: Any) -> registry_pb2.DeregisterResponse:  # noqa: N802
        return registry_pb2.DeregisterResponse()

    @property
    def is_ready(self) -> bool:
        return bool(self.states) and self.states[-1] == module_pb2.MODULE_STATE_READY


class ModuleProcess:
    def __init__(self, process: asyncio.subprocess.Process, registry: OneModuleRegistry) -> None:
        self.process = process
        self.registry = registry


Spawn = Callable[..., Any]


@pytest.fixture
def spawn(tmp_path: Path) -> Spawn:
    @asynccontextmanager
    async def spawn(name: str, settings: dict[str, object]) -> AsyncIterator[ModuleProcess]:
        registry, kernel = OneModuleRegistry(settings), Server(OpenAccess())
        kernel.serve(registry_pb2_grpc.add_RegistryServicer_to_server, registry)
        await kernel.start([f"unix:{tmp_path}/{name}-kernel.sock"])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "logos_mixnet"),
            env={
                **os.environ,
                "LOGOS_MODULE": "mixnet",
                "LOGOS_KERNEL": f"unix:{tmp_path}/{name}-kernel.sock",
                "LOGOS_LISTEN": f"unix:{tmp_path}/{name}.sock",
                "LOGOS_STATE_DIR": str(tmp_path / name),
                "LOGOS_JOIN_SECRET": str(fake_kernel.make_secret(tmp_path)),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield ModuleProcess(process, registry)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            await kernel.stop(0)

    return spawn


def test_the_manifest_names_its_services() -> None:
    path = Path(__file__).parents[1] / "src" / "logos_mixnet" / "module.toml"

    manifest = parse_manifest(path.read_text(encoding="utf-8"))

    assert manifest.name == "mixnet"
    assert sorted(manifest.services) == [
        f"logos.network.v1.{name}"
        for name in ("Discovery", "Gossip", "Mix", "Peering", "Rln", "Streams")
    ]


async def test_two_modules_connect_and_end_at_sigterm(spawn: Spawn, tmp_path: Path) -> None:
    ports = own_ports(2)
    settings = [
        {"listen": [at(port)], "bootstrap": [at(other)]} for port, other in (ports, reversed(ports))
    ]
    async with spawn("one", settings[0]) as one, spawn("two", settings[1]) as two:
        await until(lambda: one.registry.is_ready and two.registry.is_ready)
        await until(lambda: one.registry.text == two.registry.text == "1 of 1 peers")
        channel = fake_kernel.authorized(open_channel(f"unix:{tmp_path}/one.sock"), "mixnet")
        gossip: Any = gossip_pb2_grpc.GossipStub(channel)
        open_call = gossip.Subscribe()
        await open_call.write(gossip_pb2.SubscribeRequest(start={"topic": "t"}))
        await open_call.read()

        one.process.send_signal(signal.SIGTERM)

        async with refused(grpc.StatusCode.UNAVAILABLE, "MODULE_DRAINING"):
            await open_call.read()  # it waits for no subscriber
        assert await asyncio.wait_for(one.process.wait(), 60) == 0
        await channel.close()
        two.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(two.process.wait(), 60) == 0


async def test_two_modules_become_members_by_announcing_themselves(
    spawn: Spawn, tmp_path: Path
) -> None:
    """With nothing configured for it, over real hosts; a kill keeps the membership
    (mixnet.md 11, S3)."""
    ports = own_ports(2)
    settings = [
        {"listen": [at(port)], "bootstrap": [at(other)], "rln_period_ms": 500}
        for port, other in (ports, reversed(ports))
    ]
    commitments = []
    async with spawn("two", settings[1]) as two:
        for _ in range(2):
            async with spawn("one", settings[0]) as one:
                await until(lambda: one.registry.is_ready and two.registry.is_ready)
                async with asyncio.timeout(60):
                    found = [await members_of(tmp_path, name, 2) for name in ("one", "two")]
            assert len({status.root for status in found}) == 1
            commitments.append(found[0].membership.commitment)

    assert commitments[0] == commitments[1] == secret_of(tmp_path / "one").commitment


async def test_modules_with_a_genesis_are_members_before_any_cut(
    spawn: Spawn, tmp_path: Path
) -> None:
    """RLN-39: an epoch lasts an hour here. One proves in it, and the other believes it."""
    from logos_mixnet.genesis import make  # noqa: PLC0415 -- native

    ports = own_ports(2)
    bootstraps = dict(zip(("one", "two"), reversed(ports), strict=True))
    settings = {
        name: {
            "listen": [at(port)],
            "bootstrap": [at(bootstraps[name])],
            "rln_period_ms": 3_600_000,
        }
        for name, port in zip(bootstraps, ports, strict=True)
    }
    folders = {name: tmp_path / "private" / name for name in settings}
    for each in (tmp_path / "public", *folders.values()):
        each.mkdir(parents=True)
    nodes = {name: NodeGenesis(settings[name], folder) for name, folder in folders.items()}
    make(GenesisJob("test", "mixnet", None, tmp_path / "public", nodes))
    for name, own in settings.items():
        own |= {"genesis": str(tmp_path / "public"), "own_genesis": str(folders[name])}

    async with spawn("one", settings["one"]) as one, spawn("two", settings["two"]) as two:
        await until(lambda: one.registry.is_ready and two.registry.is_ready)
        async with asyncio.timeout(60):
            found = [await members_of(tmp_path, name, 2) for name in settings]
        said = {"rln_identifier": b"x" * 32, "signal": b"hello"}
        async with rln_of(tmp_path, "one") as stub:
            made = await stub.GenerateProof(rln_pb2.GenerateProofRequest(**said))
        async with rln_of(tmp_path, "two") as stub:
            asked = rln_pb2.VerifyProofRequest(**said, proof=made.proof)
            judged = await stub.VerifyProof(asked)

    assert len({status.root for status in found}) == 1
    assert judged.verdict == rln_pb2.PROOF_VERDICT_VALID
    for name, folder in folders.items():
        for file in ("identity.key", "rln.key"):
            assert (tmp_path / name / file).read_bytes() == (folder / file).read_bytes()


async def test_a_genesis_that_was_changed_ends_the_process_with_one_line(
    spawn: Spawn, tmp_path: Path
) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    settings = {"listen": [at(own_ports(1)[0])]}
    for setting, file, said in (
        ("own_genesis", private / "rln.key", f"{private}: does not hold"),
        ("genesis", public / "members", f"{public}/members: not 3 to 184,323 bytes"),
    ):
        file.parent.mkdir()
        file.write_bytes(b"half")

        async with spawn("one", settings | {setting: str(file.parent)}) as module:
            _, errors = await asyncio.wait_for(module.process.communicate(), 60)

        assert module.process.returncode == 2
        assert errors.decode().splitlines()[-1].startswith(f"GENESIS_DAMAGED: {said}")
        assert "Traceback" not in errors.decode()


@asynccontextmanager
async def rln_of(folder: Path, name: str) -> AsyncIterator[Any]:
    channel = fake_kernel.authorized(open_channel(f"unix:{folder}/{name}.sock"), "mixnet")
    try:
        yield rln_pb2_grpc.RlnStub(channel)
    finally:
        await channel.close()


async def members_of(folder: Path, name: str, count: int) -> Any:
    """Waits until a module knows so many members, and is one; returns its status."""
    channel = fake_kernel.authorized(open_channel(f"unix:{folder}/{name}.sock"), "mixnet")
    stub: Any = rln_pb2_grpc.RlnStub(channel)
    try:
        while True:
            status = await stub.GetStatus(rln_pb2.RlnGetStatusRequest(), wait_for_ready=True)
            is_active = status.membership.state == rln_pb2.MEMBERSHIP_STATE_ACTIVE
            if is_active and status.members == count:
                return status
            await asyncio.sleep(0.1)
    finally:
        await channel.close()


def secret_of(state: Path) -> Any:
    from logos_crypto.rln import Identity  # noqa: PLC0415 -- native

    return Identity.from_secret((state / "rln.key").read_bytes())


async def peer_id(folder: Path, name: str) -> str:
    channel = fake_kernel.authorized(open_channel(f"unix:{folder}/{name}.sock"), "mixnet")
    stub: Any = peering_pb2_grpc.PeeringStub(channel)
    response = await stub.GetIdentity(peering_pb2.GetIdentityRequest(), wait_for_ready=True)
    await channel.close()
    return str(response.peer_id)


async def test_the_identity_stays_after_a_kill(spawn: Spawn, tmp_path: Path) -> None:
    settings = {"listen": [at(own_ports(1)[0])]}
    seen = []

    for _ in range(2):
        async with spawn("one", settings) as module:
            await until(lambda: module.registry.is_ready)
            seen.append(await peer_id(tmp_path, "one"))

    assert seen[0] == seen[1]
    assert stat.S_IMODE((tmp_path / "one" / "identity.key").stat().st_mode) == 0o600


async def test_a_seed_gives_the_identity_and_writes_no_key(spawn: Spawn, tmp_path: Path) -> None:
    """The value is NET-2's example."""
    async with spawn("one", {"listen": [at(own_ports(1)[0])], "seed": 7}) as module:
        await until(lambda: module.registry.is_ready)

        assert await peer_id(tmp_path, "one") == SEED_7_NODE1
        assert not (tmp_path / "one" / "identity.key").exists()
        assert not (tmp_path / "one" / "rln.key").exists()


async def test_state_that_cannot_be_used_ends_the_process_with_one_line(
    spawn: Spawn, tmp_path: Path
) -> None:
    settings = {"listen": [at(own_ports(1)[0])]}
    state = tmp_path / "one"
    async with spawn("one", settings) as module:
        await until(lambda: module.registry.is_ready)
    kept = (state / "mixnet.sqlite").read_bytes(), (state / "identity.key").read_bytes()
    for file, content, said in (
        ("mixnet.sqlite", b"not a database", f"DATABASE_DAMAGED: {state}/mixnet.sqlite is not"),
        ("identity.key", None, f"IDENTITY_LOST: {state}/identity.key is missing"),
    ):
        (state / "mixnet.sqlite").write_bytes(kept[0])
        (state / "identity.key").write_bytes(kept[1])
        if content is None:
            (state / file).unlink()
        else:
            (state / file).write_bytes(content)

        async with spawn("one", settings) as module:
            _, errors = await asyncio.wait_for(module.process.communicate(), 60)

        assert module.process.returncode == 2
        assert errors.decode().splitlines()[-1].startswith(said)
        assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("settings", [{"listen": "nowhere"}, {}])
async def test_settings_that_cannot_work_end_the_process(
    spawn: Spawn, settings: dict[str, object]
) -> None:
    async with spawn("one", settings) as module:
        _, errors = await asyncio.wait_for(module.process.communicate(), 60)

    assert module.process.returncode != 0
    assert "listen: must" in errors.decode()


async def test_a_port_in_use_ends_the_process_and_says_which(spawn: Spawn) -> None:
    port = own_ports(1)[0]
    async with spawn("one", {"listen": [at(port)]}) as first:
        await until(lambda: first.registry.is_ready)

        async with spawn("two", {"listen": [at(port)]}) as second:
            _, errors = await asyncio.wait_for(second.process.communicate(), 60)

    assert second.process.returncode == 1
    assert f"cannot listen at {at(port)}" in errors.decode()
