"""Waiting for a node, against a kernel whose modules do what the test says."""

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc, module_pb2
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_base.manifest import Manifest
from logos_base.needs import Needs, ReadyFigure
from logos_testnet.client import PEERING
from logos_testnet.errors import NodeFailedError
from logos_testnet.plan import ModulePlan, NodePlan
from logos_testnet.progress import NodeProgress, Note, silent
from logos_testnet.readiness import wait_until_ready

STARTING, BACKOFF, READY, FAILED = (
    module_pb2.MODULE_STATE_STARTING,
    module_pb2.MODULE_STATE_BACKOFF,
    module_pb2.MODULE_STATE_READY,
    module_pb2.MODULE_STATE_FAILED,
)


FIGURE = ReadyFigure(call=f"{PEERING}/GetIdentity", field=3, counts="friends", at_least=4)


def module_that_wants(count: int) -> ModulePlan:
    manifest = Manifest("net", "0.1.0", needs=Needs(ready=FIGURE))
    return ModulePlan(manifest, "", {}, wanted=count)


class Kernel(kernel_pb2_grpc.KernelServicer, peering_pb2_grpc.PeeringServicer):
    """A node with one module, whose states and peers follow a script, one step a question."""

    def __init__(self) -> None:
        self.script = [(READY, 4)]
        self.others = 0
        """Modules beside it, all READY."""

    async def GetStatus(  # noqa: N802 - a gRPC method
        self, request: kernel_pb2.GetStatusRequest, context: object
    ) -> kernel_pb2.GetStatusResponse:
        state = self.script[0][0]
        module = module_pb2.Module(
            name="net", state=state, last_exit="out of luck", services=[PEERING]
        )
        if len(self.script) > 1 and state != READY:
            self.script.pop(0)
        others = [module_pb2.Module(name=f"m{i}", state=READY) for i in range(self.others)]
        return kernel_pb2.GetStatusResponse(modules=[module, *others], ready=state == READY)

    async def GetIdentity(  # noqa: N802 - a gRPC method
        self, request: peering_pb2.GetIdentityRequest, context: object
    ) -> peering_pb2.GetIdentityResponse:
        peers = self.script[0][1]
        if len(self.script) > 1:
            self.script.pop(0)
        return peering_pb2.GetIdentityResponse(peer_id="16U", connected_peers=peers)


@pytest.fixture
async def kernel() -> AsyncIterator[tuple[Kernel, NodePlan]]:
    servicer, server = Kernel(), grpc.aio.server()
    kernel_pb2_grpc.add_KernelServicer_to_server(servicer, server)
    peering_pb2_grpc.add_PeeringServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, NodePlan("node1", port, "", (module_that_wants(4),))
    await server.stop(0)


async def test_of_many_modules_names_only_those_it_waits_for(
    kernel: tuple[Kernel, NodePlan],
) -> None:
    servicer, node = kernel
    servicer.others = 200
    servicer.script = [(STARTING, 0), (READY, 4)]
    said: list[NodeProgress | Note] = []
    await wait_until_ready(node, bearer=None, report=said.append)
    texts = [one.text for one in said if isinstance(one, NodeProgress)]
    assert texts[0] == "200 ready, 1 starting; waiting for net"


async def test_waits_through_the_start_until_the_peers_are_there(
    kernel: tuple[Kernel, NodePlan],
) -> None:
    servicer, node = kernel
    servicer.script = [(STARTING, 0), (READY, 0), (READY, 4)]
    told: list[NodeProgress | Note] = []

    seen = await wait_until_ready(node, bearer=None, report=told.append)

    assert (seen.ready, seen.peers, seen.peer_id) == (True, 4, "16U")
    assert [event.text for event in told] == ["net starting", "ready; net: 0 of 4 friends"]


async def test_ready_is_enough_where_no_figure_is_asked_for(
    kernel: tuple[Kernel, NodePlan],
) -> None:
    servicer, node = kernel
    servicer.script = [(READY, 0)]

    assert (await wait_until_ready(node, bearer=None, report=silent, figures=False)).peers == 0


async def test_a_module_without_its_method_is_not_ready(kernel: tuple[Kernel, NodePlan]) -> None:
    _, node = kernel
    figure = replace(FIGURE, call="other.v1.Service/Method")
    module = module_that_wants(1)
    manifest = replace(module.manifest, needs=Needs(ready=figure))
    node = replace(node, modules=(replace(module, manifest=manifest),))

    with pytest.raises(NodeFailedError, match="does not answer other") as caught:
        await wait_until_ready(node, bearer=None, report=silent, timeout_s=0.3)

    assert caught.value.module == "net"


async def test_a_failed_module_ends_the_wait_with_its_reason(
    kernel: tuple[Kernel, NodePlan],
) -> None:
    servicer, node = kernel
    servicer.script = [(FAILED, 0)]

    with pytest.raises(NodeFailedError, match="out of luck") as caught:
        await wait_until_ready(node, bearer=None, report=silent)

    assert (caught.value.node, caught.value.module) == ("node1", "net")


async def test_a_dead_kernel_ends_the_wait() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        node = NodePlan("node1", nobody.getsockname()[1], "", ())
        with pytest.raises(NodeFailedError, match="exit code 3") as caught:
            await wait_until_ready(
                node, bearer=None, report=silent, exit_reason=lambda: "exit code 3"
            )

    assert caught.value.module == "kernel"


async def test_patience_ends_when_nothing_moves(kernel: tuple[Kernel, NodePlan]) -> None:
    servicer, node = kernel
    servicer.script = [(READY, 1)]

    with pytest.raises(NodeFailedError, match="1 of 4 friends"):
        await wait_until_ready(node, bearer=None, report=silent, timeout_s=0.3)


async def test_a_module_that_starts_again_and_again_makes_no_progress(
    kernel: tuple[Kernel, NodePlan],
) -> None:
    servicer, node = kernel
    servicer.script = [(STARTING, 0), (BACKOFF, 0)] * 100_000

    with pytest.raises(NodeFailedError, match="net: out of luck") as caught:
        await wait_until_ready(node, bearer=None, report=silent, timeout_s=1)

    assert (caught.value.node, caught.value.module) == ("node1", "net")


async def test_it_reports_that_it_waits_for_the_kernel() -> None:
    told: list[NodeProgress | Note] = []
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        node = NodePlan("node1", nobody.getsockname()[1], "", ())
        with pytest.raises(NodeFailedError, match="no progress"):
            await wait_until_ready(node, bearer=None, report=told.append, timeout_s=0.3)

    assert [event.text for event in told] == [f"waiting for its kernel to answer at {node.front}"]
