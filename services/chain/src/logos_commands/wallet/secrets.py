"""`logosctl wallet phrase`, `new` and `restore`."""

import os
import sys
from typing import Annotated, Final

import grpc
import typer

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_cli import descriptors
from logos_cli.console import print_rows, stderr
from logos_cli.session import FormOption, session_of

MAX_PHRASE_BYTES: Final = 4096


def phrase(context: typer.Context, output: FormOption = None) -> None:
    """Show the 24 words of the wallet: they give full control of its funds."""
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

    async def work(channel: grpc.aio.Channel) -> None:
        request = pb.RestorePhraseRequest(phrase=await _words())
        await WalletStub(channel).RestorePhrase(request, timeout=session.timeout_s)

    session.call(work)
    print_rows([{"wallet": "restored"}], ("wallet",), session.form(output))


async def _words() -> str:
    """Reads words from stdin: to its end, or of a terminal one line.

    Raises:
        BadParameter: There are none, too many bytes, or they are not UTF-8.
        OSError: It cannot be read, or is closed.
    """
    name, content = "standard input", bytearray()
    shared = descriptors.standard(sys.stdin, name)
    end = b"\n" if os.isatty(shared) else b""
    if end:
        stderr().print("the words, in one line:", highlight=False)
    with descriptors.named(name), descriptors.not_blocking(shared, os.O_RDONLY) as stdin:
        while part := await descriptors.read_some(stdin, MAX_PHRASE_BYTES + 1 - len(content)):
            content += part
            if len(content) > MAX_PHRASE_BYTES:
                raise typer.BadParameter(f"over {MAX_PHRASE_BYTES:,} bytes on stdin")
            if end and content.endswith(end):
                break
    try:
        words = content.decode().strip()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("the words on stdin are not UTF-8") from error
    if not words:
        raise typer.BadParameter("no words on stdin")
    return words
