"""`logosctl grant`: what modules of a node may call, beside what they declare."""

from typing import Annotated, Final

import typer

from logos.kernel.v1 import capability_pb2
from logos.kernel.v1.capability_pb2_grpc import CapabilityStub
from logos_cli.console import Output, print_rows
from logos_cli.session import FormOption, session_of

command: Final = typer.Typer(
    help="What modules may call of one another.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "GRANT_NOT_FOUND": "`logosctl grant list` shows all; --refusal deletes a refusal",
    "MODULE_NOT_FOUND": "`logosctl module list` shows the modules of the node",
}

CallerArgument = Annotated[str, typer.Argument(help="Module that calls.")]
TargetArgument = Annotated[str, typer.Argument(help="Module that is called, or kernel.")]
MethodsArgument = Annotated[
    list[str],
    typer.Argument(metavar="METHOD...", help="package.Service/Method, package.Service/* or *."),
]
_COLUMNS: Final = ("caller", "target", "kind", "methods", "by")


@command.callback()
def group() -> None:
    """What modules may call of one another."""


@command.command("allow")
def allow(
    context: typer.Context,
    caller: CallerArgument,
    target: TargetArgument,
    methods: MethodsArgument,
    output: FormOption = None,
) -> None:
    """Allow a module to call methods of another, in place of its last grant."""
    grant = capability_pb2.Grant(caller=caller, target=target, methods=methods)
    _set(context, grant, output)


@command.command("refuse")
def refuse(
    context: typer.Context,
    caller: CallerArgument,
    target: TargetArgument,
    methods: MethodsArgument,
    output: FormOption = None,
) -> None:
    """Refuse a module methods of another, even if it declares them."""
    grant = capability_pb2.Grant(caller=caller, target=target, methods=methods, refuse=True)
    _set(context, grant, output)


@command.command("list")
def list_grants(context: typer.Context, output: FormOption = None) -> None:
    """List grants and refusals."""
    session = session_of(context)
    request = capability_pb2.ListGrantsRequest()
    answer = session.ask(lambda channel: CapabilityStub(channel).ListGrants, request)
    print_rows([_record(grant) for grant in answer.grants], _COLUMNS, session.form(output))


@command.command("delete")
def delete(
    context: typer.Context,
    caller: CallerArgument,
    target: TargetArgument,
    *,
    refusal: Annotated[bool, typer.Option("--refusal", help="The refusal, not the grant.")] = False,
    output: FormOption = None,
) -> None:
    """Take a grant back, or a refusal."""
    session = session_of(context)
    request = capability_pb2.DeleteGrantRequest(caller=caller, target=target, refuse=refusal)
    session.ask(lambda channel: CapabilityStub(channel).DeleteGrant, request)
    kind = "refusal" if refusal else "grant"
    record = {"caller": caller, "target": target, "kind": kind, "deleted": True}
    session.report(record, f"the {kind} for {caller} of {target} is deleted", output)


def _set(context: typer.Context, grant: capability_pb2.Grant, output: Output | None) -> None:
    session = session_of(context)
    request = capability_pb2.SetGrantRequest(grant=grant)
    session.ask(lambda channel: CapabilityStub(channel).SetGrant, request)
    record = {key: value for key, value in _record(grant).items() if key != "by"}
    word = "refused" if grant.refuse else "allowed"
    sentence = f"{grant.caller} is {word} {', '.join(grant.methods)} of {grant.target}"
    session.report(record, sentence, output)


def _record(grant: capability_pb2.Grant) -> dict[str, object]:
    """A grant as a record of the output."""
    return {
        "caller": grant.caller,
        "target": grant.target,
        "kind": "refusal" if grant.refuse else "grant",
        "methods": list(grant.methods),
        "by": grant.by,
    }
