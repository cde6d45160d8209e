"""`logosctl module`: the modules of one node."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import kernel_pb2, module_pb2, stats_pb2, supervisor_pb2
from logos.kernel.v1.kernel_pb2_grpc import KernelStub
from logos.kernel.v1.supervisor_pb2_grpc import SupervisorStub
from logos_cli.authoring.commands import check_module, new_module
from logos_cli.console import Output, print_json, print_json_line, print_rows, shown
from logos_cli.session import FormOption, session_of
from logos_commands import _versions
from logos_commands.token import seconds
from logos_commands.top import (
    COLUMNS,
    METHOD_COLUMNS,
    IntervalOption,
    method_rows,
    shown_rows,
    watch_stats,
)
from logos_commands.top import record as stats_record
from logos_testnet.client import state_name

command: Final = typer.Typer(
    help="The modules of a node.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "RUNTIME_EXTERNAL": "the container engine owns it: `docker compose restart NODE-MODULE`,"
    " `./logos logs NODE MODULE`",
    "NO_PROCESS": "`module show MODULE` says why; `module start MODULE` starts it",
    "HAS_DEPENDENTS": "stop the modules that require it first, or all with `module stop --cascade`",
    "HISTORY_COMPACTED": "begin with what is now: `module watch` without --from",
    "REVISION_UNKNOWN": "begin with what is now: `module watch` without --from",
    **_versions.ADVICE,
}

_REASON: Final = "TRANSITION_REASON_"


class Verb(StrEnum):
    """What may be asked of a module."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


NameArgument = Annotated[str, typer.Argument(help="Name of the module, e.g. storage.")]
CascadeOption = Annotated[
    bool, typer.Option("--cascade", help="Also the modules that require it; they end first.")
]
_EXITS: Final = ("epoch", "code", "signal", "out_of_memory", "reason", "at", "last_line")
_COLUMNS: Final = ("module", "state", "version", "restarts", "endpoint", "status", "last_exit")


command.command("new")(new_module)
command.command("check")(check_module)
for _name, _verb in _versions.VERBS.items():
    command.command(_name)(_verb)


@command.callback()
def group() -> None:
    """The modules of a node."""


@command.command("list")
def list_modules(context: typer.Context, output: FormOption = None) -> None:
    """List the modules of the node, and how each is."""
    session = session_of(context)
    request = kernel_pb2.GetStatusRequest()
    status = session.ask(lambda channel: KernelStub(channel).GetStatus, request)
    print_rows([record(module) for module in status.modules], _COLUMNS, session.form(output))


@command.command("show")
def show(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Show all that the node knows of a module, with its last exits."""
    session = session_of(context)
    asked = supervisor_pb2.ListExitsRequest(module=module)
    exits = session.ask(lambda channel: SupervisorStub(channel).ListExits, asked).exits
    status = session.ask(
        lambda channel: KernelStub(channel).GetStatus, kernel_pb2.GetStatusRequest()
    )
    (found,) = (record(one) for one in status.modules if one.name == module)
    if session.form(output) is Output.JSON:
        print_json(found | {"exits": [_exit_record(one) for one in exits]})
        return
    rows = [{"what": key.replace("_", " "), "": value} for key, value in found.items()]
    print_rows(rows, ("what", ""), Output.TABLE)
    if exits:
        print()
        print_rows([_exit_record(one) for one in exits], _EXITS, Output.TABLE)


@command.command("logs")
def show_logs(
    context: typer.Context,
    module: NameArgument,
    tail: Annotated[
        int | None,
        typer.Option("--tail", "-n", min=1, help="Newest lines; 100 without --since."),
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option(help="Lines of the last time, e.g. 30s, 5m, 2h.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay for new lines.")] = False,
    output: FormOption = None,
) -> None:
    """Print a module's log."""
    session = session_of(context)
    request = supervisor_pb2.StreamLogsRequest(module=module, tail=tail or 0, follow=follow)
    if since is not None:
        request.since.FromSeconds(time.time_ns() // 10**9 - seconds(since, "'--since'"))
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> None:
        stub = SupervisorStub(channel)
        timeout = None if follow else session.timeout_s
        async for response in stub.StreamLogs(request, timeout=timeout):
            if as_json:
                print_json_line({"node": session.node, "module": module, "line": response.line})
            else:
                print(response.line, flush=follow)

    session.call(work)


@command.command("stats")
def stats(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="Only of this module, with its methods.")] = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again.")] = False,
    interval: IntervalOption = 2.0,
    output: FormOption = None,
) -> None:
    """Print what modules use and do since their processes started."""
    session, names = session_of(context), [module] if module else []
    form = session.form(output)
    if watch:
        watch_stats(session, names, interval, form)
        return
    request = stats_pb2.GetStatsRequest(modules=names)
    answer = session.ask(lambda channel: SupervisorStub(channel).GetStats, request)
    records = [stats_record(one) for one in answer.stats]
    is_table = form is not Output.JSON
    print_rows(shown_rows(records) if is_table else records, COLUMNS, form)
    if is_table and module:
        print()
        print_rows(method_rows(records[0]), METHOD_COLUMNS, form)


@command.command("start")
def start(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Want a module running, and those that it requires."""
    request = supervisor_pb2.StartModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).StartModule, request, output)


@command.command("stop")
def stop(
    context: typer.Context,
    module: NameArgument,
    *,
    cascade: CascadeOption = False,
    output: FormOption = None,
) -> None:
    """Want a module stopped, also across restarts of the node."""
    request = supervisor_pb2.StopModuleRequest(module=module, cascade=cascade)
    _operate(context, lambda channel: SupervisorStub(channel).StopModule, request, output)


@command.command("restart")
def restart(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Stop a module's process and start a new one."""
    request = supervisor_pb2.RestartModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).RestartModule, request, output)


@command.command("kill")
def kill(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Kill a module's process at once, as a crash would end it."""
    request = supervisor_pb2.KillModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).KillModule, request, output)


@command.command("reset")
def reset(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Forget the failures of a module, and start it if it is failed."""
    request = supervisor_pb2.ResetFailedRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).ResetFailed, request, output)


@command.command("plan")
def plan(
    context: typer.Context,
    operation: Annotated[Verb, typer.Argument(help="What would be asked for.")],
    module: NameArgument,
    *,
    cascade: CascadeOption = False,
    output: FormOption = None,
) -> None:
    """Show what a start, stop or restart would do, without doing it."""
    session = session_of(context)
    request = supervisor_pb2.PlanOperationRequest(
        operation=supervisor_pb2.Operation.Value(f"OPERATION_{operation.name}"),
        module=module,
        cascade=cascade,
    )
    steps = session.ask(lambda channel: SupervisorStub(channel).PlanOperation, request).steps
    rows = [
        {
            "wave": step.wave,
            "action": _word(supervisor_pb2.StepAction, "STEP_ACTION_", step.action),
            "module": step.module,
        }
        for step in steps
    ]
    print_rows(rows, ("wave", "action", "module"), session.form(output))


@command.command("exits")
def exits(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """List how the last processes of a module ended, newest first."""
    session = session_of(context)
    request = supervisor_pb2.ListExitsRequest(module=module)
    found = session.ask(lambda channel: SupervisorStub(channel).ListExits, request).exits
    print_rows([_exit_record(one) for one in found], _EXITS, session.form(output))


@command.command("watch")
def watch(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="Only of this module.")] = "",
    *,
    first: Annotated[
        int,
        typer.Option(
            "--from", min=0, max=2**63, help="First revision; without it, what is now comes first."
        ),
    ] = 0,
    output: FormOption = None,
) -> None:
    """Print the states of modules as they change: one line each, as JSON one document each."""
    session = session_of(context)
    request = supervisor_pb2.WatchTransitionsRequest(from_revision=first)
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> None:
        async for response in SupervisorStub(channel).WatchTransitions(request):
            for one in _changes(response):
                if module not in {"", one["module"]}:
                    continue
                if as_json:
                    print_json_line({"node": session.node, **one})
                else:
                    print(_change_line(one), flush=True)

    session.call(work)


def record(module: module_pb2.Module) -> dict[str, Any]:
    """A module as a record of the output."""
    return {
        "module": module.name,
        "state": state_name(module),
        "desired": module_pb2.DesiredState.Name(module.desired)
        .removeprefix("DESIRED_STATE_")
        .lower(),
        "version": module.version,
        "restarts": module.restart_count,
        "epoch": module.epoch,
        "pid": module.pid,
        "endpoint": module.endpoint,
        "services": list(module.services),
        "requires": list(module.requires),
        "status": module.status_text,
        "last_exit": module.last_exit,
        "since": module.since.ToJsonString(),
    }


def _exit_record(one: supervisor_pb2.Exit) -> dict[str, Any]:
    """An exit as a record of the output; null is what is not known, or does not apply."""
    how = one.WhichOneof("how")
    return {
        "epoch": one.epoch,
        "code": one.code if how == "code" else None,
        "signal": one.signal if how == "signal" else None,
        "out_of_memory": one.out_of_memory if one.HasField("out_of_memory") else None,
        "reason": module_pb2.TransitionReason.Name(one.reason).removeprefix(_REASON),
        "at": one.at.ToJsonString(),
        "last_line": one.lines[-1] if one.lines else "",
        "lines": list(one.lines),
    }


def _changes(response: supervisor_pb2.WatchTransitionsResponse) -> list[dict[str, Any]]:
    """What is watched, as records: those of a snapshot have no reason, and no state before."""
    if response.WhichOneof("content") == "snapshot":
        revision = response.snapshot.revision
        return [_change(revision, one, one.state) for one in response.snapshot.modules]
    one = response.transition
    said = {
        "from": _state(one.old),
        "reason": module_pb2.TransitionReason.Name(one.reason).removeprefix(_REASON),
        "detail": one.detail,
        "at": one.at.ToJsonString(),
    }
    return [_change(one.revision, one, one.new) | said]


def _change(
    revision: int,
    one: supervisor_pb2.ModuleAt | module_pb2.Transition,
    state: module_pb2.ModuleState.ValueType,
) -> dict[str, Any]:
    return {
        "revision": revision,
        "module": one.module,
        "epoch": one.epoch,
        "from": None,
        "to": _state(state),
        "reason": None,
        "detail": "",
        "at": None,
    }


def _change_line(one: dict[str, Any]) -> str:
    if one["reason"] is None:
        return f"{one['revision']}  {one['module']} is {one['to']}"
    way = f"{one['revision']}  {one['at']}  {one['module']}  {one['from']} -> {one['to']}"
    return shown("  ".join(filter(None, (way, one["reason"], one["detail"]))))


def _state(value: module_pb2.ModuleState.ValueType) -> str:
    return _word(module_pb2.ModuleState, "MODULE_STATE_", value)


def _word(kind: Any, prefix: str, value: int) -> str:
    """A value of an enum as a word, e.g. `ready`."""
    return str(kind.Name(value)).removeprefix(prefix).lower()


def _operate(
    context: typer.Context,
    method: Callable[[grpc.aio.Channel], Any],
    request: Any,
    output: Output | None,
) -> None:
    """Makes a call that answers with a module, and reports the module's state."""
    session = session_of(context)
    module = session.ask(method, request).module
    session.report(record(module), f"{module.name} is {state_name(module)}", output)
