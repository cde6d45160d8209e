"""Where a message goes: a peer id, or a node of the testnet by its name."""

import re
from typing import Annotated, Final

import grpc
import typer

from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.arguments import utf8
from logos_cli.console import shown
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.session import Session
from logos_cli.target import address_of, complete_node, node_addresses
from logos_cli.tokens import token_for
from logos_client.channels import channel_to

_PEER_ID: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,}")

DestinationArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE|PEER_ID",
        help="Node of the testnet by name, or the peer id of any mix.",
        callback=utf8,
        autocompletion=complete_node,
    ),
]


class UnknownDestinationError(LogosError):
    """Neither a peer id nor a node that is known here."""

    kind = ErrorKind.NOT_FOUND
    reason = "NODE_UNKNOWN"


def peer_id_of(session: Session, destination: str) -> str:
    """Returns the peer id of a destination: a node by name is asked for its own.

    Exits with a message where the node is not known, or does not answer.
    """
    if _PEER_ID.fullmatch(destination):
        return destination
    with explained():
        address = _address_of(destination, session.testnet)
    with explained(f"{destination} ({address})"):
        return run_interruptibly(_identity(session, address))


def _address_of(destination: str, testnet: str | None) -> str:
    known = node_addresses(testnet)
    if known is None or ":" in destination or destination in dict(known):
        return address_of(destination, testnet)
    names = ", ".join(name for name, _ in known)
    raise UnknownDestinationError(
        f"{shown(destination)} is no peer id, and the testnet has no node of that name;"
        f" it has {names}"
    )


async def _identity(session: Session, address: str) -> str:
    token = await token_for(address, session.token_file)
    async with channel_to(address, token) as channel:
        return await _asked(channel, session.timeout_s)


async def _asked(channel: grpc.aio.Channel, timeout_s: float | None) -> str:
    answer = await PeeringStub(channel).GetIdentity(
        peering_pb2.GetIdentityRequest(), timeout=timeout_s
    )
    return answer.peer_id
