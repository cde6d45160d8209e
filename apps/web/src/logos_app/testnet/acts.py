"""What people do to nodes and modules from the pages, and its record for the timeline."""

import json
import logging
from typing import Any, Final

import grpc

from logos.kernel.v1 import (
    events_pb2,
    events_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_app.nodes.doors import CALL_S
from logos_app.nodes.model import NodeSeen
from logos_app.shown.problems import reason_of
from logos_app.testnet.telling import ACTS, MARK

NODE_VERBS: Final = ("isolate", "heal", "restart", "kill", "stop", "start")
MODULE_VERBS: Final = ("restart", "kill", "stop", "start")
TOLD: Final = ("isolate", "heal")
UNDO: Final = {"isolate": "heal", "heal": "isolate", "stop": "start", "start": "stop"}
PAST: Final = {
    "isolate": "isolated",
    "heal": "healed",
    "restart": "restarted",
    "kill": "killed",
    "stop": "stopped",
    "start": "started",
}
_STOP_S: Final = 30.0
"""A module drains first."""

log = logging.getLogger(__name__)


async def act_on_node(channel: grpc.aio.Channel, node: NodeSeen, verb: str, session: str) -> None:
    """Does one of `NODE_VERBS`; raises `AioRpcError` if the node refuses.

    What `TOLD` has, the node itself tells, with the session as its mark.
    """
    peering, metadata = peering_pb2_grpc.PeeringStub(channel), [(MARK, session)]
    match verb:
        case "isolate":
            request = peering_pb2.IsolateRequest()
            await peering.Isolate(request, timeout=CALL_S, metadata=metadata)
        case "heal":
            heal = peering_pb2.HealRequest()
            await peering.Heal(heal, timeout=CALL_S, metadata=metadata)
        case "stop":
            for module in node.modules:
                if not module.requires:
                    await act_on_module(channel, module.name, "stop")
        case "kill":
            for module in node.modules:
                if module.has_process:
                    await _kill_if_there(channel, module.name)
        case _:
            for module in node.modules:
                await act_on_module(channel, module.name, verb)


async def _kill_if_there(channel: grpc.aio.Channel, module: str) -> None:
    """Kills a module; one whose process has ended meanwhile is no error."""
    try:
        await act_on_module(channel, module, "kill")
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "NO_PROCESS":
            raise


async def act_on_module(channel: grpc.aio.Channel, module: str, verb: str) -> None:
    """Does one of `MODULE_VERBS`; a stop takes along the modules that require this one."""
    stub = supervisor_pb2_grpc.SupervisorStub(channel)
    match verb:
        case "restart":
            request = supervisor_pb2.RestartModuleRequest(module=module)
            await stub.RestartModule(request, timeout=_STOP_S)
        case "kill":
            kill = supervisor_pb2.KillModuleRequest(module=module)
            await stub.KillModule(kill, timeout=CALL_S)
        case "stop":
            stop = supervisor_pb2.StopModuleRequest(module=module, cascade=True)
            await stub.StopModule(stop, timeout=_STOP_S)
        case "start":
            start = supervisor_pb2.StartModuleRequest(module=module)
            await stub.StartModule(start, timeout=_STOP_S)


async def record(channel: grpc.aio.Channel, session: str, verb: str, **facts: Any) -> None:
    """Publishes what was done, so that the timelines of all show it. A failure is only logged."""
    payload = json.dumps({"verb": verb, "session": session, **facts}).encode()
    request = events_pb2.PublishRequest(topic=ACTS, events=[events_pb2.NewEvent(payload=payload)])
    try:
        await events_pb2_grpc.EventsStub(channel).Publish(request, timeout=CALL_S)
    except grpc.aio.AioRpcError as error:
        log.warning("an act is missing on the timeline: %s", error.details())
