"""gRPC client of a node's front door."""

from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from logos.kernel.v1 import (
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_base.needs import ReadyFigure
from logos_client.channels import channel_to

CALL_TIMEOUT_S: Final = 3.0
PEERING: Final = peering_pb2.DESCRIPTOR.services_by_name["Peering"].full_name

READY: Final = module_pb2.MODULE_STATE_READY
FAILED: Final = module_pb2.MODULE_STATE_FAILED


@dataclass(frozen=True, slots=True)
class NodeView:
    """The status of a node at one moment."""

    modules: tuple[module_pb2.Module, ...]
    ready: bool
    peer_id: str = ""
    """Empty if no module of the node has peers, or that module is not READY."""
    peers: int = 0
    is_isolated: bool = False


async def view(channel: grpc.aio.Channel, *, networked: bool = True) -> NodeView:
    """Asks a node for its status.

    Args:
        channel: To its front door.
        networked: Whether to ask for its peers too, if the module that has them is READY.

    Raises:
        grpc.aio.AioRpcError: The kernel does not answer.
    """
    status = await kernel_pb2_grpc.KernelStub(channel).GetStatus(
        kernel_pb2.GetStatusRequest(), timeout=CALL_TIMEOUT_S
    )
    modules = tuple(status.modules)
    if networked and any(PEERING in m.services and m.state == READY for m in modules):
        try:
            identity = await peering_pb2_grpc.PeeringStub(channel).GetIdentity(
                peering_pb2.GetIdentityRequest(), timeout=CALL_TIMEOUT_S
            )
        except grpc.aio.AioRpcError:
            return NodeView(modules, status.ready)  # the module stopped between the two calls
        return NodeView(
            modules, status.ready, identity.peer_id, identity.connected_peers, identity.isolated
        )
    return NodeView(modules, status.ready)


async def read_figure(channel: grpc.aio.Channel, figure: ReadyFigure) -> int | None:
    """Asks a module for the figure of its readiness; None if it does not answer.

    The figure names a field by its number, so the module's generated code is not needed.
    """
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, empty_pb2.Empty] = channel.unary_unary(
        f"/{figure.call}", response_deserializer=empty_pb2.Empty.FromString
    )
    try:
        response = await call(b"", timeout=CALL_TIMEOUT_S)
    except grpc.aio.AioRpcError:
        return None
    fields = UnknownFieldSet(response)  # to Empty, every field is unknown
    numbers = [
        fields[at].data for at in range(len(fields)) if fields[at].field_number == figure.field
    ]
    return numbers[-1] if numbers and isinstance(numbers[-1], int) else 0  # proto3 omits a zero


def refuses_caller(error: grpc.aio.AioRpcError) -> bool:
    """Returns whether a call failed for what it says of its caller: its token."""
    return error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


async def refuses_token(front: str, bearer: str | None) -> bool:
    """Returns whether a front door refuses a token; False if it does not answer."""
    async with channel_to(front, bearer) as channel:
        try:
            await view(channel, networked=False)
        except grpc.aio.AioRpcError as error:
            return refuses_caller(error)
    return False


async def cut_off(channel: grpc.aio.Channel) -> None:
    """Has a node's network module refuse all others; AioRpcError."""
    stub = peering_pb2_grpc.PeeringStub(channel)
    await stub.Isolate(peering_pb2.IsolateRequest(), timeout=CALL_TIMEOUT_S)


async def heal(channel: grpc.aio.Channel) -> None:
    """Ends what `cut_off` began; AioRpcError."""
    await peering_pb2_grpc.PeeringStub(channel).Heal(
        peering_pb2.HealRequest(), timeout=CALL_TIMEOUT_S
    )


async def is_cut_off(front: str, bearer: str | None) -> bool:
    """Returns whether a node's network module refuses all others; False if it does not answer."""
    async with channel_to(front, bearer) as channel:
        try:
            return (await view(channel)).is_isolated
        except grpc.aio.AioRpcError:
            return False


async def revive_failed(channel: grpc.aio.Channel) -> None:
    """Asks a node to restart its FAILED modules now, not when their slow retry is due."""
    try:
        seen = await view(channel, networked=False)
        for module in seen.modules:
            if module.state == FAILED:
                await supervisor_pb2_grpc.SupervisorStub(channel).StartModule(
                    supervisor_pb2.StartModuleRequest(module=module.name), timeout=CALL_TIMEOUT_S
                )
    except grpc.aio.AioRpcError:
        return  # `wait_until_ready` reports the failure


def state_name(module: module_pb2.Module) -> str:
    """Returns a module's state as a word, e.g. `ready`."""
    return module_pb2.ModuleState.Name(module.state).removeprefix("MODULE_STATE_").lower()


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Returns the stable reason of a failed call; empty if it carries none."""
    info = error_details_pb2.ErrorInfo()
    return str(info.reason) if _unpacked(error, info) else ""


def retry_after_ms_of(error: grpc.aio.AioRpcError) -> int | None:
    """Returns the retry delay of a failed call, in milliseconds; None if it carries none."""
    retry = error_details_pb2.RetryInfo()
    return int(retry.retry_delay.ToMilliseconds()) if _unpacked(error, retry) else None


def _unpacked(error: grpc.aio.AioRpcError, message: Message) -> bool:
    """Fills `message` from the error's details; False if there is none of its type."""
    try:
        status = rpc_status.from_call(error)
        return any(detail.Unpack(message) for detail in (status.details if status else ()))
    except (ValueError, DecodeError):
        return False  # details that contradict the status or do not decode: not a Logos node
