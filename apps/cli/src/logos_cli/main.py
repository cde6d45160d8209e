"""`logosctl`: one node of a testnet, from the command line."""

import math
from pathlib import Path
from typing import Annotated, ClassVar, Final

import typer

from logos_cli.commands import FoundPlaces, Group
from logos_cli.console import Output, OutputOption
from logos_cli.program import EPILOG, SETTINGS
from logos_cli.session import Session
from logos_cli.target import complete_node

_LONGEST_TIMEOUT_S: Final = 1e8
"""Three years. gRPC cannot represent longer ones: they mean no deadline."""


class _Commands(Group):
    places: ClassVar = FoundPlaces("logos_commands")


app = typer.Typer(
    name="logosctl",
    cls=_Commands,
    help="Talk to one node of a Logos testnet.",
    epilog=EPILOG,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


@app.callback()
def select(
    context: typer.Context,
    *,
    node: Annotated[
        str,
        typer.Option(
            envvar="LOGOS_NODE",
            help="Node by name, or HOST:PORT.",
            autocompletion=complete_node,
        ),
    ] = "node1",
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of the node's front door, instead of its name.")
    ] = None,
    testnet: Annotated[
        str | None, typer.Option(envvar="LOGOS_TESTNET", help="Testnet, if several are up.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token of an operator; else LOGOS_TOKEN, which holds one, else"
            " LOGOS_TOKEN_FILE, else that of the testnet.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            envvar="LOGOS_CA_FILE",
            help="PEM file that the certificate of a front door with TLS is signed by; only with"
            " --address.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Time limit of a short call, in seconds; inf: none.")
    ] = 10.0,
) -> None:
    """Talk to one node of a Logos testnet."""
    if math.isnan(timeout):
        raise typer.BadParameter("must be a number of seconds, is nan", param_hint="'--timeout'")
    deadline_s = timeout if timeout <= _LONGEST_TIMEOUT_S else None
    if ":" not in (address or node) and _is_typed(context, "ca_file"):
        raise typer.BadParameter(
            "nodes by name have no TLS: give --address too", param_hint="'--ca-file'"
        )
    context.obj = Session(address or node, testnet, output, deadline_s, token_file, ca_file)


def _is_typed(context: typer.Context, name: str) -> bool:
    """Returns whether an option is in the command line, not in a variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
