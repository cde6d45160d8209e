"""Who may call the broker, and what of it (KER-24, KER-25)."""

import secrets
from typing import Any

import grpc
import pytest
from broker_rig import BrokerRig
from process_engine import ProcessEngine

from logos.broker.v1 import broker_pb2 as pb
from logos.broker.v1.broker_pb2_grpc import BrokerStub
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import channel_to
from logos_module.errors import reason_of

PROVED = [
    method
    for method in pb.DESCRIPTOR.services_by_name["Broker"].methods
    if method.name != "GetBroker"
]

NAMING = [method for method in PROVED if method.name != "WatchContainers"]
"""Those that name a module."""


async def outcome(stub: Any, method: Any, request: Any = None) -> str:
    """Calls any method; returns its reason, or OK."""
    if request is None:
        request = method.input_type._concrete_class()
    call = getattr(stub, method.name)(request, timeout=30)
    try:
        await (call.read() if method.server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    call.cancel()
    return "OK"


@pytest.mark.parametrize("method", PROVED, ids=lambda method: method.name)
async def test_every_method_wants_a_proof(broker: BrokerRig, method: Any) -> None:
    async with channel_to(broker.target) as channel:
        assert await outcome(BrokerStub(channel), method) == "TOKEN_MISSING"
    async with broker.stub("node1", secrets.token_bytes(32)) as stub:
        assert await outcome(stub, method) == "PROOF_INVALID"
    async with broker.stub("node3", secrets.token_bytes(32)) as stub:
        assert await outcome(stub, method) == "PROOF_INVALID"


@pytest.mark.parametrize("method", NAMING, ids=lambda method: method.name)
async def test_no_method_reaches_another_node(broker: BrokerRig, method: Any) -> None:
    other = broker.secret("node2").read_bytes()
    async with broker.stub("node1", other) as stub:
        assert await outcome(stub, method) == "PROOF_INVALID"
    async with broker.stub("node1") as stub:
        for module in ("node2-stays", "../node2/stays", "", "x" * 100_000, "stays\0"):
            given: dict[str, Any] = {"module": module}
            if method.name == "SignalContainer":
                given["signal"] = pb.SIGNAL_KILL
            request = method.input_type._concrete_class(**given)
            assert await outcome(stub, method, request) == "CONTAINER_NOT_FOUND"


async def test_a_kernel_sees_its_own_node_alone(broker: BrokerRig, engine: ProcessEngine) -> None:
    await engine.start("node2-stays")
    async with broker.stub("node1") as stub:
        watching = stub.WatchContainers(pb.WatchContainersRequest())
        first = (await watching.read()).container
        await engine.start("node1-stays")
        second = (await watching.read()).container

    assert (first.module, first.running, first.started_at_ns) == ("stays", False, 0)
    assert (second.running, second.pid) == (True, engine.containers["node1-stays"].seen.state.pid)


async def test_a_copied_call_is_refused(broker: BrokerRig) -> None:
    once = broker.credential("node1").metadata("logos.broker.v1.Broker/StartContainer")

    class Copy:
        def metadata(self, _method: str) -> Any:
            return once

    async with channel_to(broker.target) as channel:
        stub: Any = BrokerStub(AuthorizedChannel(channel, Copy()))
        request = pb.StartContainerRequest(module="stays")
        await stub.StartContainer(request)
        for method in ("StartContainer", "SignalContainer"):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await getattr(stub, method)(request)
            assert reason_of(refusal.value) == "PROOF_INVALID"


async def test_a_signal_meets_the_start_that_is_meant(
    broker: BrokerRig, engine: ProcessEngine
) -> None:
    async with broker.stub("node1") as stub:
        started = (await stub.StartContainer(pb.StartContainerRequest(module="stays"))).container
        request = pb.SignalContainerRequest(module="stays", signal=pb.SIGNAL_KILL)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.SignalContainer(request)

        assert reason_of(refusal.value) == "CONTAINER_RESTARTED"
        request.started_at_ns = started.started_at_ns
        await stub.SignalContainer(request)
    assert engine.calls == [("start", "node1-stays"), ("SIGKILL", "node1-stays")]


@pytest.mark.parametrize("signal", [0, 3, 99])
async def test_other_signals_are_not_sent(broker: BrokerRig, signal: int) -> None:
    async with broker.stub("node1") as stub:
        request = pb.SignalContainerRequest(module="stays", signal=signal)  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.SignalContainer(request)
    assert reason_of(refusal.value) == "INVALID_SIGNAL"


async def test_streams_are_bounded(broker: BrokerRig) -> None:
    async with broker.stub("node1") as stub:
        request = pb.ReadLogRequest(module="stays", tail=100_001)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.ReadLog(request).read()
        assert reason_of(refusal.value) == "TAIL_TOO_LONG"
        open_ = [stub.WatchContainers(pb.WatchContainersRequest()) for _ in range(16)]
        for call in open_:
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.WatchContainers(pb.WatchContainersRequest()).read()
        assert reason_of(refusal.value) == "TOO_MANY_STREAMS"
    async with broker.stub("node2") as stub:
        await stub.WatchContainers(pb.WatchContainersRequest()).read()


async def test_an_engine_that_is_away_is_named(broker: BrokerRig, engine: ProcessEngine) -> None:
    engine.is_up = False
    async with broker.stub("node1") as stub:
        for method in NAMING:
            request = method.input_type._concrete_class(module="stays")
            if method.name == "SignalContainer":
                request.signal = pb.SIGNAL_TERM
            assert await outcome(stub, method, request) == "ENGINE_UNAVAILABLE"
