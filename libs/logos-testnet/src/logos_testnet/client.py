"""A node as its clients see it: through its front door, by gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
CALL_TIMEOUT_S: Final = 3.0
PEERING: Final = peering_pb2.DESCRIPTOR.services_by_name["Peering"].full_name

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Also how long a connection may take to come up: on a busy machine some hundred ms.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

READY: Final = module_pb2.MODULE_STATE_READY
FAILED: Final = module_pb2.MODULE_STATE_FAILED


@dataclass(frozen=True, slots=True)
class NodeView:
    """What a node said of itself at one moment."""

    modules: tuple[module_pb2.Module, ...]
    ready: bool
    peer_id: str = ""
    """Empty where no module of the node has peers, or it is not READY."""
    peers: int = 0


def open_channel(target: str) -> grpc.aio.Channel:
    """Opens a plaintext channel to a front door."""
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


@asynccontextmanager
async def channel_to(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel for the length of a block."""
    channel = open_channel(target)
    try:
        yield channel
    finally:
        await channel.close()


async def view(channel: grpc.aio.Channel, *, networked: bool = True) -> NodeView:
    """Asks a node how it is.

    Args:
        channel: To its front door.
        networked: Whether to ask for its peers too, once the module that has them is READY.

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
            return NodeView(modules, status.ready)  # it left between the two calls
        return NodeView(modules, status.ready, identity.peer_id, identity.connected_peers)
    return NodeView(modules, status.ready)


async def read_figure(channel: grpc.aio.Channel, figure: ReadyFigure) -> int | None:
    """Asks a module for the number that says how far it is; None: it does not answer.

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


async def revive_failed(channel: grpc.aio.Channel) -> None:
    """Asks a node to try its FAILED modules again now, not when their slow retry is due."""
    try:
        seen = await view(channel, networked=False)
        for module in seen.modules:
            if module.state == FAILED:
                await supervisor_pb2_grpc.SupervisorStub(channel).StartModule(
                    supervisor_pb2.StartModuleRequest(module=module.name), timeout=CALL_TIMEOUT_S
                )
    except grpc.aio.AioRpcError:
        return  # whoever waits for the node will tell what is wrong with it


def state_name(module: module_pb2.Module) -> str:
    """A module's state as a word, e.g. `ready`."""
    return module_pb2.ModuleState.Name(module.state).removeprefix("MODULE_STATE_").lower()


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The stable reason of a failed call; empty if it carries none."""
    info = error_details_pb2.ErrorInfo()
    return str(info.reason) if _unpacked(error, info) else ""


def retry_after_ms_of(error: grpc.aio.AioRpcError) -> int | None:
    """When trying a failed call again makes sense, in milliseconds; None if it does not say."""
    retry = error_details_pb2.RetryInfo()
    return int(retry.retry_delay.ToMilliseconds()) if _unpacked(error, retry) else None


def _unpacked(error: grpc.aio.AioRpcError, message: Message) -> bool:
    """Fills `message` from the error's details; False if there is none of its type."""
    try:
        status = rpc_status.from_call(error)
        return any(detail.Unpack(message) for detail in (status.details if status else ()))
    except (ValueError, DecodeError):
        return False  # the details contradict the status, or are none: not from a Logos node
