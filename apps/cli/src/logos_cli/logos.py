"""`./logos`: testnets up and down, and everything a developer runs."""

import typer

from logos_cli import developer, testnets
from logos_cli.main import app as logosctl
from logos_cli.program import EPILOG, SETTINGS

app = typer.Typer(
    name="logos",
    help="A complete Logos network on this machine.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)
app.command("up")(testnets.up)
app.command("down")(testnets.down)
app.command("status")(testnets.status)
app.command("logs")(testnets.logs)
app.add_typer(logosctl, name="ctl", help="Talk to one node (the same as logosctl).")
app.command("test", cls=developer.PassingOn)(developer.test)
app.command("check")(developer.check)
app.command("lock")(developer.lock)
app.command("proto")(developer.proto)
app.command("render")(developer.render)
