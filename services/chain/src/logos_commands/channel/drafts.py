"""`logosctl channel sign`, `submit` and `abandon`: drafts as files, for keys that are apart."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Final, assert_never

import grpc
import typer

from logos_cli.console import Output, print_json, print_rows, stderr
from logos_cli.exits import explained
from logos_cli.session import FormOption, Session, session_of
from logos_client.private_files import write_private
from logos_commands.chain.following import print_followed
from logos_commands.chain.records import to_id
from logos_zone_sdk.core.errors import DraftForeignError, DraftMalformedError
from logos_zone_sdk.core.governing import MAX_DRAFT_BYTES
from logos_zone_sdk.governing import Change, ChannelConfig, Draft, Withdrawal, ZoneGovernor
from logos_zone_sdk.key_file import read_key

_SUBMITTED: Final = ("change", "channel", "hash", "fee")
"""What a table says of a draft that was submitted."""


def sign(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="DRAFT", help="Of `config` or `withdraw`.")],
    *,
    key_files: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help="Signs with it; none: shows the draft alone."),
    ] = None,
    expected: Annotated[
        str,
        typer.Option(
            "--hash", metavar="HASH", help="Of the draft, as a look at it has shown; no other."
        ),
    ] = "",
    output: FormOption = None,
) -> None:
    """Show what a draft would change, and with --key sign it in its file; without a node.

    Look at it first: a signature agrees to all that it shows. With --hash no other draft is signed,
    such as one that has taken the file's place since.
    """
    form, wanted = session_of(context).form(output), to_id(expected) if expected else None
    with explained():
        draft = read_draft(file)
        if wanted not in {None, draft.hash}:
            raise DraftForeignError(f"{file}: the draft is another one, {draft.hash.hex()}")
        for each in key_files or ():
            draft = draft.signed(read_key(each), draft.change)
        if key_files:
            write_private(file, draft.encode())
    print_record(draft_record(draft), form)
    if draft.missing:
        said = f"signatures it lacks: {draft.missing}"
    else:
        said = "signed by as many as are to: `logosctl channel submit` gives it to the node"
    stderr().print(said, highlight=False, markup=False)


def submit(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="DRAFT", help="Copies of one draft: all that have signed."),
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Until a block has it.")] = False,
    output: FormOption = None,
) -> None:
    """Give a signed draft to the node that has made it, within ten minutes."""
    session = session_of(context)
    with explained():
        draft = reduce(Draft.joined, [read_draft(each) for each in files])

    async def work(node: grpc.aio.Channel) -> None:
        await ZoneGovernor(draft.change.channel, node).submit(draft)

    session.call(work)
    print_submitted(session, draft, wait=wait, output=session.form(output))


def abandon(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="DRAFT", help="Of `config` or `withdraw`.")],
    output: FormOption = None,
) -> None:
    """Free the notes that the node's wallet reserves for a draft; the file stays."""
    session = session_of(context)
    with explained():
        draft = read_draft(file)

    async def work(node: grpc.aio.Channel) -> None:
        await ZoneGovernor(draft.change.channel, node).abandon(draft)

    session.call(work)
    record = {"hash": draft.hash.hex(), "is_reserved": False}
    session.report(record, f"no notes are reserved for {draft.hash.hex()}", output)


def read_draft(file: Path) -> Draft:
    """Reads a draft from a file; raises `DraftMalformedError`, `OSError`."""
    with file.open("rb") as opened:
        raw = opened.read(MAX_DRAFT_BYTES + 1)
    try:
        return Draft.decode(raw)
    except DraftMalformedError as error:
        raise DraftMalformedError(f"{file}: {error}") from error


def draft_record(draft: Draft) -> dict[str, Any]:
    """What a draft does, and who has signed it."""
    return {
        **_change_record(draft.change),
        "hash": draft.hash.hex(),
        "fee": draft.fee,
        "threshold": draft.threshold,
        "signed": [each.hex() for each in draft.keys if each in draft.signatures],
        "missing": draft.missing,
    }


def _change_record(change: Change) -> dict[str, Any]:
    match change:
        case ChannelConfig():
            return {
                "change": "config",
                "channel": change.channel.hex(),
                "keys": [each.hex() for each in change.keys],
                "timeframe_slots": change.posting_timeframe_slots,
                "timeout_slots": change.posting_timeout_slots,
                "configuration_threshold": change.configuration_threshold,
                "transfer_threshold": change.transfer_threshold,
            }
        case Withdrawal(output=output, rest=rest):
            paid = {} if output is None else {"amount": output.value, "to": output.public_key.hex()}
            kept = {} if rest is None else {"rest": rest.value, "rest_of": rest.public_key.hex()}
            notes = [each.hex() for each in change.notes]
            name = {"change": "withdraw", "channel": change.channel.hex(), "notes": notes}
            return name | paid | kept
        case _:
            assert_never(change)


def print_submitted(session: Session, draft: Draft, *, wait: bool, output: Output) -> None:
    """Prints a draft that was submitted, and if it is to wait what becomes of it."""
    record = draft_record(draft)
    if output is Output.TABLE:
        record = {name: record[name] for name in _SUBMITTED}
    if wait:
        print_followed(session, record, draft.hash, until="INCLUDED", output=output)
    else:
        print_rows([record], tuple(record), output)


def print_record(record: Mapping[str, Any], form: Output) -> None:
    """Prints a record: as JSON, or a line for each value."""
    if form is Output.JSON:
        print_json(record)
        return
    width = max(len(name) for name in record)
    for name, value in record.items():
        for each in value if isinstance(value, list) else [value]:
            print(f"{name.replace('_', ' '):>{width}}  {each}")
