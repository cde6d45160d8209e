"""`logosctl chain blocks`, `block`, `forks` and `watch`."""

from typing import Annotated, Any, Final

import grpc
import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_json_line, print_rows, stderr
from logos_cli.session import FormOption, session_of
from logos_commands.chain.pages import rows_of
from logos_commands.chain.records import (
    MAX_U64,
    an_id_or_none,
    block_record,
    kinds_said,
    point_record,
    to_id,
    transaction_record,
)

PAGE: Final = 100
MAX_LIMIT: Final = 10_000
_COLUMNS: Final = ("height", "slot", "time", "transactions", "size", "state", "id")


def blocks(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")] = 20,
    output: FormOption = None,
) -> None:
    """List the blocks of the chain, newest first."""
    session = session_of(context)
    rows = rows_of(
        session,
        lambda channel: ChainNodeStub(channel).ListBlocks,
        pb.ListBlocksRequest(),
        lambda page: [block_record(each) for each in page.blocks],
        limit=limit,
        page=PAGE,
    )
    print_rows(rows, _COLUMNS, session.form(output))


def block(
    context: typer.Context,
    reference: Annotated[
        str, typer.Argument(metavar="HEIGHT|ID", help="Of the block.", callback=utf8)
    ],
    *,
    output: FormOption = None,
) -> None:
    """Show a block and its transactions."""
    session, request = session_of(context), _request(reference)

    async def work(channel: grpc.aio.Channel) -> dict[str, Any]:
        stub = ChainNodeStub(channel)
        found = await stub.GetBlock(request, timeout=session.timeout_s)
        rows, token = list[dict[str, Any]](), ""
        while True:
            page = await stub.ListBlockTransactions(
                pb.ListBlockTransactionsRequest(
                    id=found.summary.point.id, page_size=PAGE, page_token=token
                ),
                timeout=session.timeout_s,
            )
            rows += [transaction_record(each) for each in page.transactions]
            token = page.next_page_token
            if not token:
                return _record(found, rows)

    record = session.call(work)
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    for name in ("id", "height", "slot", "time", "state", "confirmations", "size", "parent"):
        print(f"{name:>14}  {record[name]}")
    for name in ("leader_key", "uncles", "children"):
        value = record[name]
        print(f"{name.replace('_', ' '):>14}  {value if isinstance(value, str) else len(value)}")
    rows = [{**each, "operations": kinds_said(each)} for each in record["transactions"]]
    print_rows(rows, ("hash", "operations", "size_bytes"), Output.TABLE)


def _request(reference: str) -> pb.GetBlockRequest:
    text = reference.strip()
    if text.isascii() and text.isdecimal() and int(text[:21]) <= MAX_U64 and len(text) < 21:
        return pb.GetBlockRequest(height=int(text))
    try:
        return pb.GetBlockRequest(id=to_id(text))
    except typer.BadParameter as error:
        raise typer.BadParameter("a height, or an id of 64 hexadecimal digits") from error


def _record(found: pb.GetBlockResponse, transactions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **block_record(found.summary),
        "confirmations": found.confirmations,
        "body_root": found.body_root.hex(),
        "voucher": found.voucher.hex(),
        "entropy": found.entropy.hex(),
        "leader_key": found.leader_key.hex(),
        "proof": found.proof.hex(),
        "uncles": [each.hex() for each in found.uncles],
        "children": [each.hex() for each in found.children],
        "transactions": transactions,
    }


def forks(context: typer.Context, output: FormOption = None) -> None:
    """List the ends of all chains that the node keeps, the local one first."""
    session = session_of(context)
    answer = session.ask(lambda channel: ChainNodeStub(channel).ListForks, pb.ListForksRequest())
    rows = [
        {
            **point_record(each.tip),
            "blocks": each.blocks,
            "local_blocks": each.local_blocks,
            "parted_at": each.common.height,
        }
        for each in answer.forks
    ]
    columns = ("height", "slot", "blocks", "local_blocks", "parted_at", "id")
    print_rows(rows, columns, session.form(output))


def watch(
    context: typer.Context,
    *,
    after: Annotated[
        str,
        typer.Option(metavar="ID", help="Begin after this block, not now.", callback=an_id_or_none),
    ] = "",
    count: Annotated[
        int, typer.Option(min=0, max=MAX_LIMIT, help="End after so many blocks; 0: never.")
    ] = 0,
    output: FormOption = None,
) -> None:
    """Print blocks as they come, and what leaves the chain."""
    session = session_of(context)
    as_json = session.form(output) is Output.JSON
    request = pb.WatchBlocksRequest(after=to_id(after) if after else b"")

    async def work(channel: grpc.aio.Channel) -> None:
        stream, seen = ChainNodeStub(channel).WatchBlocks(request), 0
        async for move in stream:
            seen += len(move.added)
            _show(move, as_json=as_json)
            if count and seen >= count:
                stream.cancel()
                return

    session.call(work)


def _show(move: pb.WatchBlocksResponse, *, as_json: bool) -> None:
    added = [block_record(each) for each in move.added]
    if as_json:
        print_json_line(
            {
                "tip": point_record(move.tip),
                "removed": [each.hex() for each in move.removed],
                "added": added,
                "final": point_record(move.final),
            }
        )
        return
    if move.removed:
        gone = "1 block has" if len(move.removed) == 1 else f"{len(move.removed)} blocks have"
        stderr().print(f"{gone} left the chain", highlight=False)
    for each in added:
        print(
            f"{each['time']}  block {each['height']}, slot {each['slot']},"
            f" {each['transactions']} transactions  {each['id']}",
            flush=True,
        )
