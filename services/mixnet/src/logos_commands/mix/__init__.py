"""`logosctl mix`: messages that hide their sender and recipient from observers."""

from typing import Final

import typer

from logos_commands.mix.messages import listen, send
from logos_commands.mix.ping import ping
from logos_commands.mix.profiles import pool, profile
from logos_commands.mix.records import ADVICE
from logos_commands.mix.status import status

__all__ = ["ADVICE", "command"]

command: Final = typer.Typer(
    help="Messages that nobody can trace.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """Messages that nobody can trace."""


command.command("ping")(ping)
command.command("send")(send)
command.command("listen")(listen)
command.command("status")(status)
command.command("pool")(pool)
command.command("profile")(profile)
