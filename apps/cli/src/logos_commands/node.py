"""`logosctl node`: the nodes of a testnet."""

from typing import Any, Final

import typer

from logos_cli.console import print_rows
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.session import FormOption, Session, session_of
from logos_cli.survey import survey
from logos_cli.target import node_addresses
from logos_cli.tokens import token_for
from logos_testnet.ports import taken_ports
from logos_testnet.topology import FRONT_PORT_BASE, MAX_NODES

command: Final = typer.Typer(
    help="The nodes of the testnet.", add_completion=False, no_args_is_help=True
)

_COLUMNS: Final = ("node", "address", "state", "peers", "peer_id", "version", "epoch")


@command.callback()
def group() -> None:
    """The nodes of the testnet."""


@command.command("list")
def list_nodes(context: typer.Context, output: FormOption = None) -> None:
    """List the nodes of the testnet with their status."""
    session = session_of(context)
    with explained():
        rows = run_interruptibly(_survey(session))
    print_rows(rows, _COLUMNS, session.form(output))


async def _survey(session: Session) -> list[dict[str, Any]]:
    addresses = _addresses(session.testnet)
    if not addresses:
        return []
    # One token: all nodes of a testnet accept it.
    bearer = await token_for(addresses[0][1], session.token_file)
    return await survey(addresses, bearer, session.timeout_s)


def _addresses(testnet: str | None) -> list[tuple[str, str]]:
    """Returns nodes by name; if no testnet is known, those whose default port is in use."""
    known = node_addresses(testnet)
    if known is not None:
        return known
    ports = taken_ports(list(range(FRONT_PORT_BASE + 1, FRONT_PORT_BASE + MAX_NODES + 1)))
    return [(f"node{port - FRONT_PORT_BASE}", f"127.0.0.1:{port}") for port in ports]
