"""`logosctl wallet send`, `faucet` and `claim`."""

from typing import Annotated, Any, Final

import typer

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.transaction_pb2 import Note
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_cli.console import Output, print_rows
from logos_cli.session import FormOption, Session, session_of
from logos_commands.chain.following import print_followed
from logos_commands.chain.records import MAX_U64, an_id, an_id_or_none, to_id

MAX_CLAIMS: Final = 16

WaitOption = Annotated[bool, typer.Option("--wait", help="Until a block has it.")]


def send(
    context: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Of `wallet address`.", callback=an_id)
    ],
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", min=1, max=MAX_U64)],
    *,
    tip: Annotated[int, typer.Option(min=0, max=MAX_U64, help="For the leader, over the fee.")] = 0,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Pay, and print the hash of the transaction."""
    session = session_of(context)
    request = pb.SendRequest(outputs=[Note(value=amount, public_key=to_id(address))], tip=tip)
    answer = session.ask(lambda channel: WalletStub(channel).Send, request)
    record = {"hash": answer.hash.hex(), "amount": amount, "fee": answer.fee, "tip": answer.tip}
    _end(session, record, answer.hash, wait=wait, output=session.form(output))


def faucet(
    context: typer.Context,
    address: Annotated[
        str,
        typer.Argument(
            metavar="[ADDRESS]", help="None: a new one of this wallet.", callback=an_id_or_none
        ),
    ] = "",
    *,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Ask the testnet's faucet for tokens."""
    session = session_of(context)
    request = pb.FaucetRequest(public_key=to_id(address) if address else b"")
    answer = session.ask(lambda channel: WalletStub(channel).Faucet, request)
    record = {
        "hash": answer.hash.hex(),
        "amount": answer.value,
        "address": answer.public_key.hex(),
    }
    _end(session, record, answer.hash, wait=wait, output=session.form(output))


def claim(
    context: typer.Context,
    *,
    count: Annotated[int, typer.Option(min=1, max=MAX_CLAIMS, help="So many rewards.")] = 1,
    output: FormOption = None,
) -> None:
    """Claim rewards of blocks that the node has made, anonymously."""
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).Claim, pb.ClaimRequest(count=count))
    rows = [{"hash": each.hex()} for each in answer.hashes]
    print_rows(rows, ("hash",), session.form(output))


def _end(
    session: Session, record: dict[str, Any], hash_: bytes, *, wait: bool, output: Output
) -> None:
    if wait:
        print_followed(session, record, hash_, until="INCLUDED", output=output)
    else:
        print_rows([record], tuple(record), output)
