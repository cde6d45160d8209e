"""`logosctl channel checkpoint` and `forget`: what a node keeps of who writes by it."""

from pathlib import Path
from typing import Annotated

import grpc
import typer

from logos_cli.exits import explained
from logos_cli.session import FormOption, session_of
from logos_commands.chain.records import an_id_or_none, to_id
from logos_commands.channel.drafts import print_record
from logos_commands.channel.keys import public_key
from logos_commands.channel.writing import ChannelArgument
from logos_zone_sdk.governing import KeptSequencer, ZoneGovernor
from logos_zone_sdk.key_file import read_key

WriterOption = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="With the key that writes.")
]
PublicOption = Annotated[
    str,
    typer.Option(
        "--public", metavar="KEY", help="Its public key, without a file.", callback=an_id_or_none
    ),
]


def checkpoint(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    key_file: WriterOption = None,
    public: PublicOption = "",
    output: FormOption = None,
) -> None:
    """Show what the node keeps of a program that writes by it, and would go on from."""
    session, channel_id, writer = session_of(context), to_id(channel), _writer(key_file, public)

    async def work(node: grpc.aio.Channel) -> KeptSequencer:
        return await ZoneGovernor(channel_id, node).kept(writer)

    kept = session.call(work)
    record = {
        "channel": channel_id.hex(),
        "key": writer.hex(),
        "next_number": kept.next_number,
        "pending": list(kept.pending),
        "pending_bytes": sum(kept.pending.values()),
        "final_height": kept.final.height,
        "final_block": kept.final.id.hex(),
        "last_message": "" if kept.last_message is None else kept.last_message.hex(),
    }
    print_record(record, session.form(output))


def forget(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    key_file: WriterOption = None,
    public: PublicOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Drop it.")] = False,
    output: FormOption = None,
) -> None:
    """Drop what the node keeps of a program that writes by it, and its payloads."""
    session, channel_id, writer = session_of(context), to_id(channel), _writer(key_file, public)
    if not yes:
        raise typer.BadParameter(
            "it drops payloads that are not final: look at `channel checkpoint`, then --yes"
        )

    async def work(node: grpc.aio.Channel) -> None:
        await ZoneGovernor(channel_id, node).forget(writer)

    session.call(work)
    record = {"channel": channel_id.hex(), "key": writer.hex(), "is_kept": False}
    session.report(record, f"nothing is kept of {writer.hex()}; its numbers begin at 0", output)


def _writer(key_file: Path | None, public: str) -> bytes:
    if (key_file is None) == (not public):
        raise typer.BadParameter("name the key: by --key FILE or by --public KEY")
    if key_file is None:
        return to_id(public)
    with explained():
        return public_key(read_key(key_file))
