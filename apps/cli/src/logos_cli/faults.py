"""`./logos isolate`, `heal`: a node without its network."""

from typing import Annotated

import typer

from logos_cli.advice import command
from logos_cli.console import Output, OutputOption, print_json, stderr
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.selection import open_chosen, places_of
from logos_cli.target import complete_node
from logos_cli.testnets import TestnetOption

NodeArgument = Annotated[str, typer.Argument(help="Node.", autocompletion=complete_node)]


def isolate(
    node: NodeArgument, *, testnet: TestnetOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Cut a node off from all others; its front door answers on."""
    with explained():
        opened = open_chosen(places_of(), None, testnet, None)
        run_interruptibly(opened.isolate(node))
        name = opened.plan.topology.name
        _report(name, node, output, is_isolated=True)
        stderr().print(f"`{command('heal', name, node)}` ends it", highlight=False, markup=False)


def heal(
    node: NodeArgument, *, testnet: TestnetOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Join a node that was isolated to the others again."""
    with explained():
        opened = open_chosen(places_of(), None, testnet, None)
        run_interruptibly(opened.heal(node))
        _report(opened.plan.topology.name, node, output, is_isolated=False)


def _report(testnet: str, node: str, output: Output, *, is_isolated: bool) -> None:
    if output is Output.JSON:
        print_json({"testnet": testnet, "node": node, "isolated": is_isolated})
    text = "is isolated" if is_isolated else "is healed"
    stderr().print(f"{node} {text}", highlight=False, markup=False)
