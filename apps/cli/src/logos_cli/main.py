"""`logosctl`: one node of a testnet, from the command line."""

import math
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
    output: OutputOption = Output.TABLE,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Time limit of a short call, in seconds; inf: none.")
    ] = 10.0,
) -> None:
    """Talk to one node of a Logos testnet."""
    if math.isnan(timeout):
        raise typer.BadParameter("must be a number of seconds, is nan", param_hint="'--timeout'")
    deadline_s = timeout if timeout <= _LONGEST_TIMEOUT_S else None
    context.obj = Session(address or node, testnet, output, deadline_s)
