"""`logosctl token`: tokens of operators, for people and programs at a node's front door."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from logos.kernel.v1 import capability_pb2
from logos.kernel.v1.capability_pb2_grpc import CapabilityStub
from logos_base.capabilities import Role
from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_json, print_rows, stderr
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.session import FormOption, session_of
from logos_cli.target import address_of
from logos_cli.tokens import token_for
from logos_client.token_file import replace_token_file

command: Final = typer.Typer(
    help="Tokens of people and programs.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "OPERATOR_EXISTS": "`logosctl token revoke NAME` first, or choose another name",
    "OPERATOR_NOT_FOUND": "`logosctl token list` shows those that hold",
}

NameArgument = Annotated[str, typer.Argument(help="Whose it is: a name for the audit log.")]
_COLUMNS: Final = ("name", "role", "issued_at", "expires_at")
_TTL: Final = re.compile(r"([0-9]{1,6})([smhd])")
_MAX_S: Final = 3650 * 86_400
"""Ten years: longer, no token holds."""
_SECONDS_OF: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class NoTokenError(LogosError):
    """No token was given for a node, and none was found."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


def _folder_exists(file: Path | None) -> Path | None:
    """Refuses a file in no folder: for the callback of an option."""
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} is not a folder")
    return file


@command.callback()
def group() -> None:
    """Tokens of people and programs."""


@command.command("issue")
def issue(
    context: typer.Context,
    name: NameArgument,
    *,
    role: Annotated[Role, typer.Option(help="What it may do.")],
    ttl: Annotated[
        str | None, typer.Option(help="How long it holds, e.g. 90s, 30m, 24h, 7d.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write it to a file that only you can read.",
            dir_okay=False,
            callback=_folder_exists,
        ),
    ] = None,
    output: FormOption = None,
) -> None:
    """Make a token for this node and print it, once: it is not stored."""
    session = session_of(context)
    request = capability_pb2.IssueOperatorTokenRequest(
        name=name, role=capability_pb2.Role.Value(f"ROLE_{role.upper()}")
    )
    if ttl is not None:
        request.ttl.FromSeconds(seconds(ttl))
    answer = session.ask(lambda channel: CapabilityStub(channel).IssueOperatorToken, request)
    record = {"name": name, "role": str(role), "ttl_seconds": request.ttl.seconds or None}
    if file is None:
        record["bearer"] = answer.bearer
    else:
        _keep(file, answer.bearer, name)
        record["file"] = str(file)
    if session.form(output) is Output.JSON:
        print_json(record)
    elif file is None:
        print(answer.bearer)
    else:
        stderr().print(f"{session.node}: the token of {name} is in {file}", markup=False)


@command.command("list")
def list_tokens(context: typer.Context, output: FormOption = None) -> None:
    """List the tokens that were issued and hold; not what makes them one."""
    session = session_of(context)
    request = capability_pb2.ListOperatorTokensRequest()
    answer = session.ask(lambda channel: CapabilityStub(channel).ListOperatorTokens, request)
    print_rows([_record(token) for token in answer.tokens], _COLUMNS, session.form(output))


@command.command("revoke")
def revoke(context: typer.Context, name: NameArgument, output: FormOption = None) -> None:
    """Refuse a token from now on."""
    session = session_of(context)
    request = capability_pb2.RevokeOperatorTokenRequest(name=name)
    session.ask(lambda channel: CapabilityStub(channel).RevokeOperatorToken, request)
    record = {"name": name, "revoked": True}
    session.report(record, f"the token of {name} is revoked", output)


@command.command("show")
def show(context: typer.Context, output: FormOption = None) -> None:
    """Print the token that logosctl bears for the node, without asking the node."""
    session = session_of(context)
    with explained():
        address = address_of(session.node, session.testnet)
        bearer = run_interruptibly(token_for(address, session.token_file))
        if bearer is None:
            raise NoTokenError(
                f"no token is known for {session.node} ({address}): set LOGOS_TOKEN,"
                " or LOGOS_TOKEN_FILE to the operator.token of its testnet"
            )
    if session.form(output) is Output.JSON:
        print_json({"node": session.node, "bearer": bearer})
    else:
        print(bearer)


def seconds(text: str, option: str = "'--ttl'") -> int:
    """Returns a duration such as `24h` in seconds, or raises `typer.BadParameter`."""
    found = _TTL.fullmatch(text)
    time_s = 0 if found is None else int(found[1]) * _SECONDS_OF[found[2]]
    if not 0 < time_s <= _MAX_S:
        message = f"must be a number of s, m, h or d, e.g. 24h, at most 3650d, is {text!r}"
        raise typer.BadParameter(message, param_hint=option)
    return time_s


def _keep(file: Path, bearer: str, name: str) -> None:
    """Writes a token to a file; what cannot be written is lost, and should not hold."""
    with explained():
        try:
            replace_token_file(file, bearer)
        except OSError:
            stderr().print(f"the token is lost: `logosctl token revoke {name}`", markup=False)
            raise


def _record(token: capability_pb2.ListOperatorTokensResponse.OperatorToken) -> dict[str, Any]:
    """A token as a record of the output."""
    expires = token.expires_at.ToJsonString() if token.HasField("expires_at") else None
    return {
        "name": token.name,
        "role": capability_pb2.Role.Name(token.role).removeprefix("ROLE_").lower(),
        "issued_at": token.issued_at.ToJsonString(),
        "expires_at": expires,
    }
