"""`logosctl wallet phrase`, `new` and `restore`."""

import sys
from typing import Annotated

import typer

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_cli.console import print_rows, stderr
from logos_cli.session import FormOption, session_of


def phrase(context: typer.Context, output: FormOption = None) -> None:
    """Show the 24 words of the wallet: whoever has them has the money."""
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).ExportPhrase, pb.ExportPhraseRequest())
    print_rows([{"phrase": answer.phrase}], ("phrase",), session.form(output))


def new(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the present wallet.")] = False,
    output: FormOption = None,
) -> None:
    """Make a wallet of new words in place of the present one, and show the words.

    The keystore of the present one stays beside it; its words restore it: `wallet phrase`.
    """
    if not yes:
        raise typer.BadParameter("it replaces the present wallet: note `wallet phrase`, then --yes")
    session = session_of(context)
    answer = session.ask(lambda channel: WalletStub(channel).NewWallet, pb.NewWalletRequest())
    stderr().print("note these words down: they are all that restores the wallet", highlight=False)
    print_rows([{"phrase": answer.phrase}], ("phrase",), session.form(output))


def restore(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the present wallet.")] = False,
    output: FormOption = None,
) -> None:
    """Restore a wallet from its words, which are read from stdin, and look through the chain.

    From stdin, since arguments stand in the history of the shell and in lists of processes.
    """
    if not yes:
        raise typer.BadParameter("it replaces the present wallet: note `wallet phrase`, then --yes")
    session = session_of(context)
    if sys.stdin.isatty():
        stderr().print("the words, in one line:", highlight=False)
    words = sys.stdin.readline(4096).strip()
    if not words:
        raise typer.BadParameter("no words on stdin")
    request = pb.RestorePhraseRequest(phrase=words)
    session.ask(lambda channel: WalletStub(channel).RestorePhrase, request)
    print_rows([{"wallet": "restored"}], ("wallet",), session.form(output))
