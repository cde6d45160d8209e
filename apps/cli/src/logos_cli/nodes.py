"""`logosctl node`: the nodes of a testnet."""

import asyncio
from typing import Any, Final

import grpc
import typer

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_cli.console import print_rows
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.session import FormOption, session_of
from logos_cli.target import node_addresses
from logos_testnet.client import channel_to, state_name, view
from logos_testnet.ports import taken_ports
from logos_testnet.topology import FRONT_PORT_BASE, MAX_NODES

nodes = typer.Typer(help="The nodes of the testnet.", add_completion=False, no_args_is_help=True)

_COLUMNS: Final = ("node", "address", "state", "peers", "peer_id", "version", "epoch")


@nodes.callback()
def group() -> None:
    """The nodes of the testnet."""


@nodes.command("list")
def list_nodes(context: typer.Context, output: FormOption = None) -> None:
    """List the nodes of the testnet, and how each is."""
    session = session_of(context)
    with explained():
        rows = run_interruptibly(survey(_addresses(session.testnet), session.timeout_s))
    print_rows(rows, _COLUMNS, session.form(output))


def _addresses(testnet: str | None) -> list[tuple[str, str]]:
    """Nodes by name; where none is known, those whose port is taken, by the rule for ports."""
    known = node_addresses(testnet)
    if known is not None:
        return known
    ports = taken_ports(list(range(FRONT_PORT_BASE + 1, FRONT_PORT_BASE + MAX_NODES + 1)))
    return [(f"node{port - FRONT_PORT_BASE}", f"127.0.0.1:{port}") for port in ports]


async def survey(addresses: list[tuple[str, str]], timeout_s: float | None) -> list[dict[str, Any]]:
    """Asks every node how it is. One that does not answer is told as such."""
    return list(await asyncio.gather(*(_ask(*node, timeout_s) for node in addresses)))


async def _ask(name: str, address: str, timeout_s: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"node": name, "address": address, "state": "unreachable"}
    async with channel_to(address) as channel:
        try:
            info = await kernel_pb2_grpc.KernelStub(channel).GetInfo(
                kernel_pb2.GetInfoRequest(), timeout=timeout_s
            )
            seen = await view(channel)
        except grpc.aio.AioRpcError:
            return row
    return row | {
        "node": info.node,
        "state": "ready" if seen.ready else "starting",
        "peers": seen.peers,
        "peer_id": seen.peer_id,
        "version": info.version,
        "epoch": info.epoch,
        "modules": {module.name: state_name(module) for module in seen.modules},
    }
