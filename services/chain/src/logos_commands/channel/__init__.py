"""`logosctl channel`: messages on the chain, in the order of their channel; its keys and notes."""

from typing import Final

import typer

from logos_commands.channel.drafts import abandon, sign, submit
from logos_commands.channel.governing import config, deposit, withdraw
from logos_commands.channel.kept import checkpoint, forget
from logos_commands.channel.keys import key
from logos_commands.channel.reading import follow, show
from logos_commands.channel.writing import create, inscribe

__all__ = ["ADVICE", "command"]

ADVICE: Final = {
    "CHANNEL_UNKNOWN": "`logosctl channel create` makes one",
    "WALLET_FUNDS_INSUFFICIENT": "`logosctl wallet faucet` asks for tokens, on a testnet",
    "ZONE_NOT_TAKEN": "`logosctl wallet faucet` asks for tokens, on a testnet",
    "ZONE_CURSOR_LOST": "begin with --from start",
    "ZONE_NOTE_FOREIGN": "`logosctl chain note NOTE` shows whose it is",
    "ZONE_THRESHOLD_NOT_REACHED": "`logosctl channel sign DRAFT --key FILE` adds a signature",
    "ZONE_SEQUENCER_UNKNOWN": "`channel inscribe` keeps its checkpoint beside the key, not there",
}
"""What to do about an error, by its reason."""

command: Final = typer.Typer(
    help="Channels of the chain: write to them, follow them, govern them.",
    add_completion=False,
    no_args_is_help=True,
)


@command.callback()
def group() -> None:
    """Channels of the chain: write to them, follow them, govern them."""


command.command("key")(key)
command.command("create")(create)
command.command("show")(show)
command.command("inscribe")(inscribe)
command.command("follow")(follow)
command.command("config")(config)
command.command("deposit")(deposit)
command.command("withdraw")(withdraw)
command.command("sign")(sign)
command.command("submit")(submit)
command.command("abandon")(abandon)
command.command("checkpoint")(checkpoint)
command.command("forget")(forget)
