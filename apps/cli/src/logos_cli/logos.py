"""`./logos`: starts and stops testnets, and runs developer tools."""

from typing import ClassVar

import typer

from logos_cli.commands import Group, Place
from logos_cli.program import EPILOG, SETTINGS


class _Commands(Group):
    places: ClassVar = {
        "up": Place("logos_cli.testnets", "up"),
        "down": Place("logos_cli.testnets", "down"),
        "status": Place("logos_cli.testnets", "status"),
        "logs": Place("logos_cli.testnets", "logs"),
        "app": Place("logos_cli.app", "command"),
        "isolate": Place("logos_cli.faults", "isolate"),
        "heal": Place("logos_cli.faults", "heal"),
        "test": Place("logos_cli.developer", "tests"),
        "check": Place("logos_cli.developer", "check"),
        "lock": Place("logos_cli.developer", "lock"),
        "proto": Place("logos_cli.developer", "proto"),
        "shots": Place("logos_cli.developer", "shots"),
        "render": Place("logos_cli.developer", "render"),
        "module": Place("logos_cli.authoring.commands", "command"),
        "ctl": Place("logos_cli.main", "app", help="Talk to one node (the same as logosctl)."),
    }


app = typer.Typer(
    name="logos",
    cls=_Commands,
    help="A complete Logos network on this machine.",
    epilog=EPILOG,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


@app.callback()
def group() -> None:
    """A complete Logos network on this machine."""
