"""`logosctl wallet`: notes, payments, rewards."""

from typing import Annotated, Final

import typer

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_cli.console import Output, print_json, print_rows
from logos_cli.session import FormOption, session_of
from logos_commands.chain.pages import rows_of
from logos_commands.chain.records import ADVICE, an_id, to_id
from logos_commands.wallet.payments import claim, faucet, send
from logos_commands.wallet.records import SUMS, balance_record, entry_record, note_record
from logos_commands.wallet.secrets import new, phrase, restore

__all__ = ["ADVICE", "command"]

PAGE: Final = 1000
MAX_LIMIT: Final = 100_000

LimitOption = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")]

command: Final = typer.Typer(
    help="The node's wallet: balance, payments, rewards.",
    add_completion=False,
    no_args_is_help=True,
)


@command.callback()
def group() -> None:
    """The node's wallet: balance, payments, rewards."""


command.command("send")(send)
command.command("faucet")(faucet)
command.command("claim")(claim)
command.command("phrase")(phrase)
command.command("new")(new)
command.command("restore")(restore)


@command.command("address")
def address(context: typer.Context, output: FormOption = None) -> None:
    """Print an address to be paid to: another one each time."""
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).NewAddress, pb.NewAddressRequest())
    text = answer.public_key.hex()
    if session.form(output) is Output.JSON:
        print_json({"address": text})
    else:
        print(text)


@command.command("balance")
def balance(context: typer.Context, output: FormOption = None) -> None:
    """Show what the wallet has, and how certain that is."""
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).GetBalance, pb.GetBalanceRequest())
    record = balance_record(answer)
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    for name in SUMS:
        if name == "available" or record[name]:
            print(f"{name.replace('_', ' '):>12}  {record[name]:,}")
    if record["scan_target_height"]:
        print(f"looking through the chain: block {record['height']}", end="")
        print(f" of {record['scan_target_height']}")


@command.command("notes")
def notes(context: typer.Context, limit: LimitOption = 100, output: FormOption = None) -> None:
    """List the unspent notes, the largest first."""
    session = session_of(context)
    rows = rows_of(
        session,
        lambda channel: WalletStub(channel).ListNotes,
        pb.ListNotesRequest(),
        lambda page: [note_record(each) for each in page.notes],
        limit=limit,
        page=PAGE,
    )
    columns = ("value", "state", "since_height", "id")
    print_rows(rows, columns, session.form(output))


@command.command("history")
def history(context: typer.Context, limit: LimitOption = 20, output: FormOption = None) -> None:
    """List what came and went, newest first."""
    session = session_of(context)
    rows = rows_of(
        session,
        lambda channel: WalletStub(channel).ListHistory,
        pb.ListHistoryRequest(),
        lambda page: [entry_record(each) for each in page.entries],
        limit=limit,
        page=PAGE,
    )
    columns = ("time", "change", "stage", "height", "transaction")
    print_rows(rows, columns, session.form(output))


@command.command("vouchers")
def vouchers(context: typer.Context, output: FormOption = None) -> None:
    """List the vouchers of blocks that the node has made: what can be claimed."""
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).ListVouchers, pb.ListVouchersRequest())
    rows = [
        {
            "number": each.number,
            "state": "claimed"
            if each.is_claimed
            else "claimable"
            if each.is_claimable
            else "its epoch goes on",
            "commitment": each.commitment.hex(),
            "share": answer.share if each.is_claimable else 0,
        }
        for each in answer.vouchers
    ]
    print_rows(rows, ("number", "state", "share", "commitment"), session.form(output))


@command.command("watch")
def watch(
    context: typer.Context,
    address_: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="64 hexadecimal digits.", callback=an_id)
    ],
    output: FormOption = None,
) -> None:
    """Watch an address that is not of this wallet, from the next block on."""
    session = session_of(context)
    request = pb.WatchRequest(public_key=to_id(address_))
    session.ask(lambda channel: WalletStub(channel).Watch, request)
    print_rows([{"watched": request.public_key.hex()}], ("watched",), session.form(output))
