"""Tells what becomes of a transaction, until it has come as far as is wanted."""

from typing import Any, Final

import grpc
import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_rows, shown, stderr
from logos_cli.exits import Exit
from logos_cli.session import Session
from logos_commands.chain.records import DROPPED, status_record, status_said

ORDER: Final = ("PENDING", "INCLUDED", "SAFE", "FINAL")


class StatusEndedError(LogosError):
    """The node ended the stream by which a transaction was followed."""

    kind = ErrorKind.UNAVAILABLE
    reason = "FOLLOW_ENDED"


def print_followed(
    session: Session, record: dict[str, Any], wanted: bytes, *, until: str, output: Output
) -> None:
    """Prints what was sent, and each status to stderr; as JSON one record with the last status.

    Args:
        session: Of the node.
        record: Of the transaction. As a table it is printed at once; as JSON at the end, however
            that comes about, so that the hash is never lost.
        wanted: Hash of the transaction, 32 bytes.
        until: The stage to wait for, one of `ORDER`.
        output: How.

    Raises:
        typer.Exit: FAILED: it was dropped; or the code of what ended the wait.
    """
    if output is Output.TABLE:
        print_rows([record], tuple(record), output)
        follow_transaction(session, wanted, until=until)
        return
    status: dict[str, Any] = {}
    try:
        follow_transaction(session, wanted, until=until, status=status)
    finally:
        print_rows([record | status], tuple(record), output)


def follow_transaction(
    session: Session, wanted: bytes, *, until: str, status: dict[str, Any] | None = None
) -> None:
    """Prints each status to stderr.

    Args:
        session: Of the node.
        wanted: Hash of the transaction, 32 bytes.
        until: The stage to wait for, one of `ORDER`.
        status: Takes the fields of the last status, also if the wait fails.

    Raises:
        typer.Exit: FAILED: it was dropped; or the code of what ended the wait.
    """
    last = {} if status is None else status

    async def work(channel: grpc.aio.Channel) -> None:
        request = pb.WatchTransactionRequest(hash=wanted)
        async for each in ChainNodeStub(channel).WatchTransaction(request):
            if not each.HasField("status"):
                stderr().print("this node has not heard of it yet", highlight=False)
                continue
            last.update(status_record(each.status))
            stderr().print(shown(status_said(last)), markup=False, highlight=False)
            if last["stage"] == DROPPED or _has_come(last["stage"], until):
                return
        raise StatusEndedError(f"the node tells no more of {wanted.hex()}; it goes on")

    session.call(work)
    if last["stage"] == DROPPED:
        raise typer.Exit(Exit.FAILED)


def _has_come(stage: str, until: str) -> bool:
    """Whether a stage is as far as another; one that is not known here is not."""
    return stage in ORDER and ORDER.index(stage) >= ORDER.index(until)
