"""`logosctl chain transaction`, `mempool` and `note`."""

from typing import Annotated, Final

import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_cli.console import Output, print_json, print_rows, shown
from logos_cli.session import FormOption, session_of
from logos_commands.chain.following import print_followed
from logos_commands.chain.pages import rows_of
from logos_commands.chain.records import (
    HashArgument,
    an_id,
    kinds_said,
    status_record,
    status_said,
    to_id,
    transaction_record,
)

PAGE: Final = 100
MAX_LIMIT: Final = 10_000


def transaction(
    context: typer.Context,
    hash_: HashArgument,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Tell what becomes of it, until it is final.")
    ] = False,
    output: FormOption = None,
) -> None:
    """Show a transaction, and how far it has come."""
    session, wanted = session_of(context), to_id(hash_)
    if wait:
        print_followed(
            session, {"hash": wanted.hex()}, wanted, until="FINAL", output=session.form(output)
        )
        return
    answer = session.ask(
        lambda channel: ChainNodeStub(channel).GetTransaction, pb.GetTransactionRequest(hash=wanted)
    )
    record = {"hash": wanted.hex(), **status_record(answer.status)}
    if answer.HasField("transaction"):
        record |= transaction_record(answer.transaction)
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    print(shown(status_said(record)))
    for each in record.get("operations", ()):
        print(f"  {shown(each['kind'])}")
        for spent in each.get("inputs", ()):
            print(f"    spends {spent}")
        for made in each.get("outputs", ()):
            print(f"    pays {made['value']} to {made['public_key']}")


def mempool(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")] = 20,
    output: FormOption = None,
) -> None:
    """List the transactions that wait for a block."""
    session = session_of(context)
    rows = rows_of(
        session,
        lambda channel: ChainNodeStub(channel).ListMempool,
        pb.ListMempoolRequest(),
        lambda page: [transaction_record(each) for each in page.transactions],
        limit=limit,
        page=PAGE,
    )
    if session.form(output) is not Output.JSON:
        rows = [{**each, "operations": kinds_said(each)} for each in rows]
    print_rows(rows, ("hash", "operations", "size_bytes"), session.form(output))


def note(
    context: typer.Context,
    note_id: Annotated[
        str, typer.Argument(metavar="ID", help="64 hexadecimal digits.", callback=an_id)
    ],
    *,
    output: FormOption = None,
) -> None:
    """Show a note that is unspent at the tip."""
    session = session_of(context)
    answer = session.ask(
        lambda channel: ChainNodeStub(channel).GetNote, pb.GetNoteRequest(id=to_id(note_id))
    )
    record = {
        "value": answer.note.value,
        "public_key": answer.note.public_key.hex(),
        "channel": answer.channel.hex(),
        "declaration": answer.declaration.hex(),
        "place": answer.place,
        "root": answer.root.hex(),
    }
    print_rows([record], ("value", "public_key", "channel", "declaration"), session.form(output))
