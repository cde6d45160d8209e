"""`logosctl explain`: whether a call is allowed, and by which rule."""

from typing import Annotated, Final

import typer

from logos.kernel.v1 import capability_pb2
from logos.kernel.v1.capability_pb2_grpc import CapabilityStub
from logos_base.capabilities import Role
from logos_cli.console import Output, print_json, shown
from logos_cli.exits import Exit
from logos_cli.session import FormOption, session_of

ADVICE: Final = {"MODULE_NOT_FOUND": "`logosctl module list` shows the modules of the node"}

_OF_ROLE: Final = "role:"


def command(
    context: typer.Context,
    caller: Annotated[str, typer.Argument(help="A module, or role:viewer, role:operator …")],
    target: Annotated[str, typer.Argument(help="Module that would be called, or kernel.")],
    method: Annotated[str, typer.Argument(help="package.Service/Method.")],
    output: FormOption = None,
) -> None:
    """Say whether a call is allowed, and why; exit code 6 if not."""
    session = session_of(context)
    request = request_of(caller, target, method)
    answer = session.ask(lambda channel: CapabilityStub(channel).Explain, request)
    if session.form(output) is Output.JSON:
        print_json(
            {
                "caller": caller,
                "target": target,
                "method": method,
                "allowed": answer.allowed,
                "rule": answer.rule,
            }
        )
    else:
        print(f"{'allowed' if answer.allowed else 'denied'}: {shown(answer.rule)}")
    if not answer.allowed:
        raise typer.Exit(Exit.REFUSED)


def request_of(caller: str, target: str, method: str) -> capability_pb2.ExplainRequest:
    """Returns the question, or raises `typer.BadParameter` for a role that does not exist."""
    if not caller.startswith(_OF_ROLE):
        return capability_pb2.ExplainRequest(module=caller, target=target, method=method)
    try:
        role = Role(caller.removeprefix(_OF_ROLE))
    except ValueError as error:
        known = " or ".join(f"{_OF_ROLE}{role}" for role in Role)
        raise typer.BadParameter(f"must be a module, {known}", param_hint="'CALLER'") from error
    number = capability_pb2.Role.Value(f"ROLE_{role.upper()}")
    return capability_pb2.ExplainRequest(role=number, target=target, method=method)
