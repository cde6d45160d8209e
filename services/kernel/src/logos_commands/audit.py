"""`logosctl audit`: what was done and refused on a node, checked while it is read."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import capability_pb2
from logos.kernel.v1.capability_pb2_grpc import CapabilityStub
from logos_base.audit import AuditRecord, first_broken
from logos_base.errors import ErrorKind, LogosError
from logos_cli.arguments import MAX_UINT64
from logos_cli.console import Output, print_json_line, print_rows
from logos_cli.session import FormOption, session_of

_COLUMNS: Final = ("sequence", "at", "actor", "action", "subject", "outcome", "detail")


class BrokenAuditError(LogosError):
    """A record does not follow from the one before it."""

    kind = ErrorKind.DATA_LOSS
    reason = "AUDIT_BROKEN"

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"the audit log is broken at record {sequence}: this or the one before it was changed"
            f" or left out. `--from {sequence + 2}` reads on after it"
        )
        self.sequence = sequence


def command(
    context: typer.Context,
    start: Annotated[
        int, typer.Option("--from", min=1, max=MAX_UINT64, metavar="N", help="First record wanted.")
    ] = 1,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=1, metavar="N", help="Only the newest.")
    ] = None,
    output: FormOption = None,
) -> None:
    """Print the audit log, and check that it is whole."""
    session = session_of(context)
    is_printed_at_once = session.form(output) is Output.JSON and tail is None
    kept: deque[dict[str, Any]] = deque(maxlen=tail)

    async def work(channel: grpc.aio.Channel) -> None:
        request = capability_pb2.ReadAuditRequest(from_sequence=max(start - 1, 1))
        responses = CapabilityStub(channel).ReadAudit(request)  # a long log takes its time
        async for response in checked(responses, start):
            if is_printed_at_once:
                print_json_line(_record(response))
            else:
                kept.append(_record(response))

    try:
        session.call(work)
    except typer.Exit:
        if kept:  # what was read until it failed
            _print(kept, session.form(output))
        raise
    if not is_printed_at_once:
        _print(kept, session.form(output))


async def checked(
    responses: AsyncIterable[capability_pb2.ReadAuditResponse], start: int
) -> AsyncIterator[capability_pb2.ReadAuditResponse]:
    """Yields the records from `start` on, each once it is known to follow from that before it.

    Args:
        responses: From the record before `start` on, if there is one: that is taken as it is.
        start: From 1.

    Raises:
        BrokenAuditError: A record does not follow.
    """
    before: AuditRecord | None = None
    async for response in responses:
        record = _value(response)
        if before is None and start > 1:
            if record.sequence != start - 1:
                raise BrokenAuditError(start - 1)
        elif (sequence := first_broken([record], before)) is not None:
            raise BrokenAuditError(sequence)
        else:
            yield response
        before = record


def _value(response: capability_pb2.ReadAuditResponse) -> AuditRecord:
    return AuditRecord(
        sequence=response.sequence,
        at_ms=response.at.ToMilliseconds(),
        actor=response.actor,
        action=response.action,
        subject=response.subject,
        outcome=response.outcome,
        detail=response.detail,
        hash=response.hash,
    )


def _record(response: capability_pb2.ReadAuditResponse) -> dict[str, Any]:
    """A record of the log as a record of the output."""
    return {
        "sequence": response.sequence,
        "at": response.at.ToJsonString(),
        "actor": response.actor,
        "action": response.action,
        "subject": response.subject,
        "outcome": response.outcome,
        "detail": response.detail,
        "hash": response.hash.hex(),
    }


def _print(records: deque[dict[str, Any]], output: Output) -> None:
    if output is Output.JSON:
        for record in records:
            print_json_line(record)
    else:
        print_rows(list(records), _COLUMNS, output)
