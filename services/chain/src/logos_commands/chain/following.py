"""Tells what becomes of a transaction, until it has come as far as is wanted."""

from typing import Any, Final

import grpc
import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_json, shown, stderr
from logos_cli.exits import Exit
from logos_cli.session import Session
from logos_commands.chain.records import status_record, status_said

ORDER: Final = ("PENDING", "INCLUDED", "SAFE", "FINAL")


class StatusEndedError(LogosError):
    """The node ended the stream by which a transaction was followed."""

    kind = ErrorKind.UNAVAILABLE
    reason = "FOLLOW_ENDED"


def follow_transaction(session: Session, wanted: bytes, *, until: str, output: Output) -> None:
    """Prints each status to stderr, and the last to stdout as JSON where that is wanted.

    Args:
        session: Of the node.
        wanted: Hash of the transaction, 32 bytes.
        until: The stage to wait for, one of `ORDER`.
        output: How.

    Raises:
        typer.Exit: FAILED: it was dropped.
    """
    last: dict[str, Any] = {}

    async def work(channel: grpc.aio.Channel) -> None:
        request = pb.WatchTransactionRequest(hash=wanted)
        async for each in ChainNodeStub(channel).WatchTransaction(request):
            if not each.HasField("status"):
                stderr().print("this node has not heard of it yet", highlight=False)
                continue
            last.update(status_record(each.status))
            stderr().print(shown(status_said(last)), markup=False, highlight=False)
            if last["stage"] == "DROPPED" or ORDER.index(last["stage"]) >= ORDER.index(until):
                return
        raise StatusEndedError(f"the node tells no more of {wanted.hex()}; it goes on")

    session.call(work)
    if output is Output.JSON:
        print_json({"hash": wanted.hex(), **last})
    if last["stage"] == "DROPPED":
        raise typer.Exit(Exit.FAILED)
