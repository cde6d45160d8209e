"""`./logos app`: links to the Logos App of a testnet."""

import typer

from logos_cli.advice import command as advised
from logos_cli.console import Output, OutputOption, print_json, stderr
from logos_cli.exits import Exit, explained
from logos_cli.running import run_interruptibly
from logos_cli.selection import open_chosen, places_of
from logos_cli.testnets import TestnetOption, TopologyOption

command = typer.Typer(
    help="The Logos App of a testnet.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """The Logos App of a testnet."""


@command.command("link")
def link(
    *,
    topology: TopologyOption = None,
    testnet: TestnetOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print a link that opens one session of the app, within ten minutes."""
    with explained():
        opened = open_chosen(places_of(), topology, testnet, None)
        found = run_interruptibly(opened.app_link())
    if found is None:
        name = opened.plan.topology.name
        text = f"the app of {name} does not run; `{advised('up', name)}` starts it"
        if opened.plan.topology.app_port is None:
            text = f"{name} has no app: its topology has no [ports] app"
        stderr().print(text, highlight=False, markup=False)
        raise typer.Exit(Exit.UNREACHABLE)
    if output is Output.JSON:
        print_json({"link": found})
    else:
        print(found)
