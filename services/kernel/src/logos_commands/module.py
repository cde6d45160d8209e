"""`logosctl module`: the modules of one node."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import kernel_pb2, module_pb2, supervisor_pb2
from logos.kernel.v1.kernel_pb2_grpc import KernelStub
from logos.kernel.v1.supervisor_pb2_grpc import SupervisorStub
from logos_cli.console import Output, print_json_line, print_rows
from logos_cli.session import FormOption, session_of
from logos_testnet.client import state_name

command: Final = typer.Typer(
    help="The modules of a node.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "RUNTIME_EXTERNAL": "the container engine owns it: `docker compose restart NODE-MODULE`,"
    " `./logos logs NODE MODULE`",
    "HAS_DEPENDENTS": "stop the modules that require it first",
}

NameArgument = Annotated[str, typer.Argument(help="Name of the module, e.g. storage.")]
_COLUMNS: Final = ("module", "state", "version", "restarts", "endpoint", "status", "last_exit")


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


@command.command("logs")
def show_logs(
    context: typer.Context,
    module: NameArgument,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, help="Newest lines.")] = 100,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay for new lines.")] = False,
    output: FormOption = None,
) -> None:
    """Print a module's log."""
    session = session_of(context)
    request = supervisor_pb2.StreamLogsRequest(module=module, tail=tail, follow=follow)
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


@command.command("start")
def start(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Want a module running, and those that it requires."""
    request = supervisor_pb2.StartModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).StartModule, request, output)


@command.command("stop")
def stop(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Want a module stopped, also across restarts of the node."""
    request = supervisor_pb2.StopModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).StopModule, request, output)


@command.command("restart")
def restart(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Stop a module's process and start a new one."""
    request = supervisor_pb2.RestartModuleRequest(module=module)
    _operate(context, lambda channel: SupervisorStub(channel).RestartModule, request, output)


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
