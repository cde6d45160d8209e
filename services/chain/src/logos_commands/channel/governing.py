"""`logosctl channel config`, `withdraw` and `deposit`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import LogosError
from logos_cli.arguments import MAX_UINT32, utf8
from logos_cli.console import Output, print_rows, stderr
from logos_cli.exits import explained
from logos_cli.session import FormOption, Session, session_of
from logos_client.private_files import create_private
from logos_commands.chain.following import print_followed
from logos_commands.chain.records import MAX_U64, an_id_or_none, to_id
from logos_commands.channel.drafts import draft_record, print_record, print_submitted
from logos_commands.channel.keys import public_key
from logos_commands.channel.writing import ChannelArgument, WaitOption
from logos_zone_sdk.core.errors import NotAccreditedError
from logos_zone_sdk.governing import (
    MAX_THRESHOLD,
    Change,
    ChannelConfig,
    Draft,
    Note,
    ZoneGovernor,
)
from logos_zone_sdk.key_file import read_key

SignersOption = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="With a key of the channel; several times."),
]
DraftOption = Annotated[
    Path | None,
    typer.Option(
        "--draft", metavar="FILE", help="To be written, for `channel sign` by other holders."
    ),
]


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs here, and what becomes of the draft."""

    session: Session
    channel: bytes
    keys: Sequence[Ed25519PrivateKey]
    file: Path | None
    """Where the draft goes; None: it is submitted."""

    def check(self, rules: ChannelConfig, wanted: int) -> None:
        """Looks at the keys before notes are reserved for a draft.

        Args:
            rules: Of the channel.
            wanted: How many keys are to sign.

        Raises:
            NotAccreditedError: One is not the channel's.
            BadParameter: There are too few to submit it.
        """
        own = {public_key(each) for each in self.keys}
        if not own <= set(rules.keys):
            raise NotAccreditedError("a key is not among the channel's: `channel show` lists them")
        if self.file is None and len(own) < wanted:
            raise typer.BadParameter(
                f"{wanted} of the channel's keys are to sign, {len(own)} given by --key:"
                " with --draft FILE, holders of others `channel sign` it"
            )

    def draft(
        self, asked: Callable[[ZoneGovernor, ChannelConfig], Awaitable[tuple[Change, int]]]
    ) -> Draft:
        """Has a change drafted; signs it, and submits it or writes it into the file.

        Where that fails, the notes of the draft are freed.

        Args:
            asked: Returns the change for the present rules, and how many keys are to sign it.
        """

        async def work(node: grpc.aio.Channel) -> Draft:
            governor = ZoneGovernor(self.channel, node)
            rules = await governor.rules()
            change, wanted = await asked(governor, rules)
            self.check(rules, wanted)
            draft = await governor.draft(change)
            for each in self.keys:
                draft = draft.signed(each, change)
            try:
                await self._give(governor, draft)
            except Exception:
                with suppress(LogosError, grpc.aio.AioRpcError):  # it may have been submitted
                    await governor.abandon(draft)
                raise
            return draft

        return self.session.call(work)

    async def _give(self, governor: ZoneGovernor, draft: Draft) -> None:
        if self.file is None:
            await governor.submit(draft)
        else:
            create_private(self.file, draft.encode())


def config(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    key_files: SignersOption = None,
    with_keys: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY", help="May write from then on; several times."),
    ] = None,
    without_keys: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="KEY", help="May write no more; several times."),
    ] = None,
    timeframe: Annotated[
        int | None,
        typer.Option(min=0, max=MAX_UINT32, help="Slots of a turn; 0: it does not end."),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(min=0, max=MAX_UINT32, help="Slots of silence that end a turn; 0: none."),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_THRESHOLD, help="Keys that sign a `config` from then on."),
    ] = None,
    transfer_threshold: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_THRESHOLD, help="Keys that sign a `withdraw`."),
    ] = None,
    draft: DraftOption = None,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Change keys and rules of a channel; what is not named stays. Turns begin anew."""
    added, removed = ([to_id(each) for each in some or ()] for some in (with_keys, without_keys))
    wanted = {
        "posting_timeframe_slots": timeframe,
        "posting_timeout_slots": timeout,
        "configuration_threshold": threshold,
        "transfer_threshold": transfer_threshold,
    }
    named: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if not (added or removed or named):
        raise typer.BadParameter("name what is to change, e.g. by --with or --timeframe")
    signing = _signing(context, channel, key_files, draft, wait=wait)

    async def asked(_: ZoneGovernor, rules: ChannelConfig) -> tuple[Change, int]:
        keys = _keys(rules.keys, added, removed)
        return replace(rules, keys=keys, **named), rules.configuration_threshold

    _end(signing, signing.draft(asked), wait=wait, output=output)


def withdraw(
    context: typer.Context,
    channel: ChannelArgument,
    notes: Annotated[
        list[str],
        typer.Argument(metavar="NOTE", help="Ids of the channel's notes."),
    ],
    *,
    key_files: SignersOption = None,
    amount: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_U64, help="To pay of them; the rest stays. Else all as is."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="ADDRESS", help="Who gets the amount.", callback=an_id_or_none
        ),
    ] = "",
    draft: DraftOption = None,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Release notes from a channel, or pay an amount of them to an address."""
    if (amount is None) == bool(to):
        raise typer.BadParameter("--amount and --to go together: who gets how much")
    identifiers = [to_id(each) for each in notes]
    paid = None if amount is None else Note(amount, to_id(to))
    signing = _signing(context, channel, key_files, draft, wait=wait)

    async def asked(governor: ZoneGovernor, rules: ChannelConfig) -> tuple[Change, int]:
        return await governor.withdrawal(identifiers, paid), rules.transfer_threshold

    _end(signing, signing.draft(asked), wait=wait, output=output)


def deposit(
    context: typer.Context,
    channel: ChannelArgument,
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", min=1, max=MAX_U64)],
    *,
    metadata: Annotated[
        str, typer.Option(metavar="TEXT", help="For the channel's zone.", callback=utf8)
    ] = "",
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Give an amount of the node's wallet to a channel, and print the transaction's hash.

    It comes back by `channel withdraw`, which the channel's keys sign.
    """
    session, channel_id = session_of(context), to_id(channel)

    async def work(node: grpc.aio.Channel) -> bytes:
        governor = ZoneGovernor(channel_id, node)
        return await governor.deposit(amount, metadata=metadata.encode())

    hash_ = session.call(work)
    record = {"channel": channel_id.hex(), "amount": amount, "hash": hash_.hex()}
    if wait:
        print_followed(session, record, hash_, until="INCLUDED", output=session.form(output))
    else:
        print_rows([record], tuple(record), session.form(output))


def _keys(
    present: Sequence[bytes], added: Sequence[bytes], removed: Sequence[bytes]
) -> tuple[bytes, ...]:
    for each in removed:
        if each not in present:
            raise typer.BadParameter(f"the channel has no key {each.hex()}")
    stay = [each for each in present if each not in removed]
    return tuple(dict.fromkeys([*stay, *added]))


def _signing(
    context: typer.Context,
    channel: str,
    key_files: Sequence[Path] | None,
    file: Path | None,
    *,
    wait: bool,
) -> Signing:
    if file is not None and wait:
        raise typer.BadParameter("a draft is in no block: `channel submit` it with --wait")
    if file is not None and file.exists():
        raise typer.BadParameter(f"{file}: there is such a file already")
    with explained():
        keys = [read_key(each) for each in key_files or ()]
    return Signing(session_of(context), to_id(channel), keys, file)


def _end(signing: Signing, draft: Draft, *, wait: bool, output: Output | None) -> None:
    form = signing.session.form(output)
    if signing.file is None:
        print_submitted(signing.session, draft, wait=wait, output=form)
        return
    print_record({"draft": str(signing.file)} | draft_record(draft), form)
    said = f"its notes are reserved for ten minutes; signatures it lacks: {draft.missing}"
    stderr().print(said, highlight=False, markup=False)
