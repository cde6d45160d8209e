"""The pages of the testnet, its nodes and modules, and what can be done there."""

from typing import Any, Final

import grpc
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from logos.kernel.v1 import (
    module_pb2,
    settings_pb2,
    settings_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_app.nodes.doors import CALL_S
from logos_app.nodes.model import ModuleSeen, NodeSeen
from logos_app.nodes.reading import milliseconds
from logos_app.security.gate import visit_of
from logos_app.shell.pages import Shell, UnknownError, node_of, shell_of
from logos_app.shown.problems import Problem, problem_of
from logos_app.testnet import acts, broadcast, picture
from logos_app.testnet.log_following import LOG, page_of
from logos_app.testnet.settings import Settings, settings_of
from logos_app.testnet.telling import Happening, rows

router: Final = APIRouter()
ROWS: Final = 50
_KINDS: Final = ("faults", "transfers", "life")


def _session(request: Request) -> str:
    visit = visit_of(request)
    return "" if visit is None else visit.session.name


def _timeline(
    shell: Shell, *, node: str = "", kind: str = "", before: str = "", most: int = ROWS
) -> dict[str, Any]:
    """A page of the timeline. `before`: the key of the row that it goes on after."""
    found = [
        each
        for each in shell.nodes.happenings
        if node in {"", each.node} and kind in {"", each.kind}
    ]
    keys = [each.key for each in found]
    begin = keys.index(before) + 1 if before in keys else 0
    page = found[begin : begin + most]
    older = page[-1].key if begin + most < len(found) else ""
    return {"rows": rows(page), "older": older, "total": len(found), "count": len(page)}


@router.get("/testnet")
async def testnet(request: Request) -> Response:
    """Map, timeline and nodes."""
    shell = shell_of(request)
    return shell.page(
        request,
        "testnet.html",
        topics=(broadcast.TESTNET, broadcast.EVENTS),
        view=broadcast.view(shell.nodes.seen) | {"by_name": _places(shell)},
        timeline=_timeline(shell),
        session=_session(request),
        kind="",
    )


@router.get("/testnet/events")
async def events(request: Request, node: str = "", kind: str = "", before: str = "") -> Response:
    """The past of the timeline."""
    shell = shell_of(request)
    kind = kind if kind in _KINDS else ""
    node = node if node in shell.nodes.names else ""
    return shell.page(
        request,
        "events.html",
        view={"by_name": _places(shell)},
        timeline=_timeline(shell, node=node, kind=kind, before=before[:80]),
        session=_session(request),
        node=node,
        kind=kind,
    )


def _places(shell: Shell) -> dict[str, float]:
    count = len(shell.nodes.names)
    return {name: picture.place(i, count) for i, name in enumerate(shell.nodes.names)}


@router.get("/nodes/{name}")
async def node_page(request: Request, name: str) -> Response:
    """A node."""
    shell, node = shell_of(request), node_of(request, name)
    return shell.page(
        request,
        "node.html",
        topics=(f"node:{name}",),
        view=broadcast.node_view(shell.nodes.seen, node),
        timeline=_timeline(shell, node=name, most=10),
        session=_session(request),
    )


def _module_of(node: NodeSeen, module: str) -> ModuleSeen:
    found = node.module(module)
    if found is None:
        raise UnknownError(f"{node.name} has no module of that name.", "MODULE_NOT_FOUND")
    return found


@router.get("/nodes/{name}/modules/{module}")
async def module_page(request: Request, name: str, module: str) -> Response:
    """A module: its state, how its processes ended, its log."""
    shell, node = shell_of(request), node_of(request, name)
    seen = _module_of(node, module)
    channel = shell.doors.to(name)
    exits: list[dict[str, Any]] = []
    problem: Problem | None = None
    settings: Settings | None = None
    try:
        exits = await _exits(channel, module)
        settings = settings_of(
            await settings_pb2_grpc.SettingsStub(channel).GetSettings(
                settings_pb2.GetSettingsRequest(module=module), timeout=CALL_S
            )
        )
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, name)
    lines, log_problem = await page_of(channel, name, module)
    return shell.page(
        request,
        "module.html",
        topics=(f"module:{name}:{module}", f"{LOG}{name}:{module}"),
        node=node,
        module=seen,
        exits=exits,
        settings=settings,
        lines=lines,
        problem=problem or log_problem,
        timeline=_module_timeline(shell, name, module),
        session=_session(request),
        view=broadcast.node_view(shell.nodes.seen, node),
    )


def _module_timeline(shell: Shell, node: str, module: str) -> list[Happening]:
    return [e for e in shell.nodes.happenings if (e.node, e.module) == (node, module)][:10]


async def _exits(channel: grpc.aio.Channel, module: str) -> list[dict[str, Any]]:
    answer = await supervisor_pb2_grpc.SupervisorStub(channel).ListExits(
        supervisor_pb2.ListExitsRequest(module=module), timeout=CALL_S
    )
    return [
        {"at_ms": milliseconds(each.at), "how": exit_said(each), "epoch": each.epoch}
        for each in answer.exits
    ]


def exit_said(ended: supervisor_pb2.Exit) -> str:
    """How a process ended, as a sentence."""
    if ended.reason == module_pb2.TRANSITION_REASON_KILLED:
        return f"Start {ended.epoch} was killed on request."
    if ended.HasField("out_of_memory") and ended.out_of_memory:
        return f"Start {ended.epoch} was killed by the system for want of memory."
    match ended.WhichOneof("how"):
        case "code":
            return f"Start {ended.epoch} exited with code {ended.code}."
        case "signal":
            return f"Start {ended.epoch} ended by signal {ended.signal}."
    return f"Start {ended.epoch} ended; how is not known."


@router.post("/nodes/{name}/{verb}")
async def act_on_node(request: Request, name: str, verb: str) -> Response:
    """Does something to a node."""
    node = node_of(request, name)
    if verb not in acts.NODE_VERBS:
        raise UnknownError("A node cannot be asked for that.", "VERB_UNKNOWN")
    shell = shell_of(request)
    channel = shell.doors.to(name)
    try:
        await acts.act_on_node(channel, node, verb, _session(request))
    except grpc.aio.AioRpcError as error:
        return shell.failed(request, problem_of(error, name), 409)
    if verb not in acts.TOLD:
        await acts.record(channel, _session(request), verb, module="all modules")
    return HTMLResponse(_done(shell, f"/nodes/{name}", name, verb))


@router.post("/nodes/{name}/modules/{module}/{verb}")
async def act_on_module(request: Request, name: str, module: str, verb: str) -> Response:
    """Does something to a module."""
    _module_of(node_of(request, name), module)
    if verb not in acts.MODULE_VERBS:
        raise UnknownError("A module cannot be asked for that.", "VERB_UNKNOWN")
    shell = shell_of(request)
    channel = shell.doors.to(name)
    try:
        await acts.act_on_module(channel, module, verb)
    except grpc.aio.AioRpcError as error:
        return shell.failed(request, problem_of(error, name), 409)
    await acts.record(channel, _session(request), verb, module=module)
    subject = f"{module} on {name}"
    return HTMLResponse(_done(shell, f"/nodes/{name}/modules/{module}", subject, verb))


def _done(shell: Shell, path: str, subject: str, verb: str) -> str:
    """The notice that follows an act, with what undoes it."""
    undo = acts.UNDO.get(verb, "")
    return shell.partial(
        "done_part.html", subject=subject, past=acts.PAST[verb], undo=undo, path=path
    )
