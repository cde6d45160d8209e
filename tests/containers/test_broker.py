"""Modules' containers through the broker: restarts, and what a hostile module gets of it.

The hostile client runs inside a module's container, with all that a module has: its join secret,
a token of its kernel, the code of the broker's contract, and the broker's address.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from logos.broker.v1 import broker_pb2 as broker_pb
from logos.kernel.v1 import (
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_client.channels import channel_to
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.plan import CONTAINER_GRPC_PORT, broker_address
from logos_testnet.progress import silent
from own_topology import ROOT, claim_ports

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAME = "broker"
METHODS = sorted(broker_pb.DESCRIPTOR.services_by_name["Broker"].methods_by_name)

HOSTILE = """
import json, os, socket, sys
from pathlib import Path
import grpc
from google.protobuf import message_factory
from logos.broker.v1 import broker_pb2 as pb
from logos.broker.v1.broker_pb2_grpc import BrokerStub

told = {}
def attempt(name, act):
    try:
        told[name] = repr(act())[:200]
    except grpc.RpcError as error:
        told[name] = error.code().name
    except OSError as error:
        told[name] = type(error).__name__ + ": " + str(error)

channel = grpc.insecure_channel(sys.argv[1])
secret = Path(os.environ["LOGOS_JOIN_SECRET"]).read_bytes()
claims = [("logos-node", sys.argv[2]), ("logos-instance-bin", 16 * b"i"),
          ("logos-proof-bin", secret[:24]), ("logos-token-bin", secret)]
for method in pb.DESCRIPTOR.services_by_name["Broker"].methods:
    request = message_factory.GetMessageClass(method.input_type)()
    if "module" in method.input_type.fields_by_name:
        request.module = "storage"
    call = getattr(BrokerStub(channel), method.name)
    def act(call=call, request=request, streams=method.server_streaming):
        answer = call(request, metadata=claims, timeout=3)
        return next(answer) if streams else answer
    attempt(method.name, act)

def dial(family, address):
    with socket.socket(family) as dialled:
        dialled.settimeout(2)
        dialled.connect(address)

attempt("broker address", lambda: dial(socket.AF_INET, (sys.argv[1].rpartition(":")[0], 7000)))
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
    attempt(path, lambda path=path: dial(socket.AF_UNIX, path))
for port in (2375, 2376):
    attempt(f"gateway {port}", lambda port=port: dial(socket.AF_INET, (sys.argv[3], port)))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def testnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerTestnet]:
    """Two nodes; nothing of them stays."""
    places, ports = Places(ROOT, tmp_path_factory.mktemp("state")), claim_ports()
    text = (
        f'schema = 1\nname = "{NAME}"\nnode_count = 2\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n[modules.mixnet]\n[modules.storage]\n'
    )
    description = Description(text, f"{NAME}.toml")
    opened = open_testnet(description, places, runtime="containers")
    assert isinstance(opened, ContainerTestnet)
    layout_of(places.state_root, NAME).directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))
    mine = f"label=com.docker.compose.project=logos-{NAME}"
    for words in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        assert asyncio.run(run_docker([*words, "--quiet", "--filter", mine])) == ""


def container(service: str) -> str:
    return f"logos-{NAME}-{service}-1"


async def module_of(testnet: ContainerTestnet, name: str) -> module_pb2.Module:
    """A module of the first node, as its kernel sees it."""
    front = testnet.plan.nodes[0].front
    async with channel_to(front, testnet.bearer) as channel:
        stub: Any = kernel_pb2_grpc.KernelStub(channel)
        status = await stub.GetStatus(kernel_pb2.GetStatusRequest(), wait_for_ready=True)
    return next(module for module in status.modules if module.name == name)


async def until(
    testnet: ContainerTestnet, name: str, is_so: Callable[[module_pb2.Module], bool]
) -> module_pb2.Module:
    """Waits until something is so of a module of the first node."""
    async with asyncio.timeout(120):
        while True:
            now = await module_of(testnet, name)
            if is_so(now):
                return now
            await asyncio.sleep(0.1)


async def until_replaced(testnet: ContainerTestnet, before: module_pb2.Module) -> module_pb2.Module:
    """Waits until a module of the first node is READY in a later epoch."""
    ready = module_pb2.MODULE_STATE_READY
    return await until(
        testnet, before.name, lambda now: now.epoch > before.epoch and now.state == ready
    )


async def last_exit(testnet: ContainerTestnet, module: str) -> supervisor_pb2.Exit:
    front = testnet.plan.nodes[0].front
    async with channel_to(front, testnet.bearer) as channel:
        stub: Any = supervisor_pb2_grpc.SupervisorStub(channel)
        listed = await stub.ListExits(supervisor_pb2.ListExitsRequest(module=module))
    return next(iter(listed.exits))


async def test_a_container_that_is_killed_through_the_engine_comes_back(
    testnet: ContainerTestnet,
) -> None:
    before = await module_of(testnet, "storage")

    await run_docker(["kill", container("node1-storage")])

    now = await until_replaced(testnet, before)
    assert now.restart_count == before.restart_count + 1
    assert (await last_exit(testnet, "storage")).signal == 9


async def test_an_operator_restarts_stops_and_starts_a_container(
    testnet: ContainerTestnet,
) -> None:
    before = await module_of(testnet, "storage")
    front = testnet.plan.nodes[0].front
    async with channel_to(front, testnet.bearer) as channel:
        stub: Any = supervisor_pb2_grpc.SupervisorStub(channel)
        await stub.RestartModule(supervisor_pb2.RestartModuleRequest(module="storage"))
        before = await until_replaced(testnet, before)
        await stub.StopModule(supervisor_pb2.StopModuleRequest(module="storage"))
        stopped = module_pb2.MODULE_STATE_STOPPED
        await until(testnet, "storage", lambda now: now.state == stopped)
        running = ["ps", "--quiet", "--filter", f"name={container('node1-storage')}"]
        assert await run_docker(running) == ""
        await stub.StartModule(supervisor_pb2.StartModuleRequest(module="storage"))
    await until_replaced(testnet, before)


async def test_a_killed_kernel_takes_its_containers_over(testnet: ContainerTestnet) -> None:
    before = [await module_of(testnet, name) for name in ("mixnet", "storage")]

    await testnet.kill("node1", "kernel", 9)
    await testnet.up(silent)

    after = [await module_of(testnet, name) for name in ("mixnet", "storage")]
    assert [(one.pid, one.epoch) for one in after] == [(one.pid, one.epoch) for one in before]


async def test_modules_stay_while_the_broker_is_started_again(testnet: ContainerTestnet) -> None:
    before = await module_of(testnet, "storage")
    await testnet.compose("restart", "broker")
    same = await module_of(testnet, "storage")
    assert (same.epoch, same.state) == (before.epoch, module_pb2.MODULE_STATE_READY)

    await run_docker(["kill", container("node1-storage")])

    await until_replaced(testnet, before)


async def test_a_log_comes_from_the_engine(testnet: ContainerTestnet) -> None:
    front = testnet.plan.nodes[0].front
    async with channel_to(front, testnet.bearer) as channel:
        stub: Any = supervisor_pb2_grpc.SupervisorStub(channel)
        request = supervisor_pb2.StreamLogsRequest(module="mixnet", tail=1000)
        lines = [response.line async for response in stub.StreamLogs(request)]
    assert any(json.loads(line)["module"] == "mixnet" for line in lines)


@pytest.fixture(scope="module")
def attempts(testnet: ContainerTestnet) -> dict[str, str]:
    """What each attempt of the hostile client has come to."""
    topology, node = testnet.plan.topology, testnet.plan.nodes[0]
    broker = f"{broker_address(topology)}:{CONTAINER_GRPC_PORT}"
    assert node.networks is not None
    gateway = str(node.networks.modules.network_address + 1)
    words = ["exec", container("node1-storage"), "python", "-c", HOSTILE, broker, "node1", gateway]
    return dict(json.loads(asyncio.run(run_docker(words))))


@pytest.mark.parametrize(
    "method", sorted(broker_pb.DESCRIPTOR.services_by_name["Broker"].methods_by_name)
)
def test_a_module_has_no_way_to_the_broker(attempts: dict[str, str], method: str) -> None:
    assert attempts[method] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


def test_nor_to_its_address(attempts: dict[str, str]) -> None:
    assert attempts["broker address"].startswith(("TimeoutError", "OSError"))


def test_a_module_does_not_reach_the_engine(attempts: dict[str, str]) -> None:
    sockets = {name: told for name, told in attempts.items() if name.endswith(".sock")}
    assert len(sockets) == 3
    assert all(told.startswith("FileNotFoundError") for told in sockets.values())
    gateway = {name: told for name, told in attempts.items() if name.startswith("gateway")}
    assert len(gateway) == 2
    assert all(
        told.startswith(("ConnectionRefusedError", "TimeoutError", "OSError"))
        for told in gateway.values()
    )


async def test_even_on_its_network_a_module_is_refused(testnet: ContainerTestnet) -> None:
    """As if an operator had joined the module's container to the broker's network by mistake."""
    network, topology = f"logos-{NAME}_broker", testnet.plan.topology
    broker = f"{broker_address(topology)}:{CONTAINER_GRPC_PORT}"
    stranger = container("node2-storage")
    await run_docker(["network", "connect", network, stranger])
    try:
        words = ["exec", stranger, "python", "-c", HOSTILE, broker, "node1", "127.0.0.1"]
        told = dict(json.loads(await run_docker(words)))
    finally:
        await run_docker(["network", "disconnect", network, stranger])
    for method in ("StartContainer", "SignalContainer", "GetUsage", "ReadLog", "WatchContainers"):
        assert told[method] == "UNAUTHENTICATED", method


def test_no_request_can_name_what_a_container_would_gain_by() -> None:
    service = broker_pb.DESCRIPTOR.services_by_name["Broker"]
    named = {field.name for method in service.methods for field in method.input_type.fields}
    assert named == {"module", "started_at_ns", "signal", "tail", "follow", "since_ns"}
