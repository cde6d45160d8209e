"""`logosctl channel`: messages on the chain, in the order of their channel."""

from typing import Final

import typer

from logos_commands.channel.keys import key
from logos_commands.channel.reading import follow, show
from logos_commands.channel.writing import create, inscribe

__all__ = ["ADVICE", "command"]

ADVICE: Final = {
    "CHANNEL_UNKNOWN": "`logosctl channel create` makes one",
    "WALLET_FUNDS_INSUFFICIENT": "`logosctl wallet faucet` asks for tokens, on a testnet",
    "ZONE_NOT_TAKEN": "`logosctl wallet faucet` asks for tokens, on a testnet",
    "ZONE_CURSOR_LOST": "begin with --from start",
}
"""What to do about an error, by its reason."""

command: Final = typer.Typer(
    help="Channels of the chain: write to them, follow them.",
    add_completion=False,
    no_args_is_help=True,
)


@command.callback()
def group() -> None:
    """Channels of the chain: write to them, follow them."""


command.command("key")(key)
command.command("create")(create)
command.command("show")(show)
command.command("inscribe")(inscribe)
command.command("follow")(follow)
