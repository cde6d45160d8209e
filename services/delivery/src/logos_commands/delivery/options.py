"""Options of the commands that print messages as they come."""

from typing import Annotated

import typer

CountOption = Annotated[
    int, typer.Option(min=0, help="End after so many messages; 0: go on until Ctrl-C.")
]
AfterOption = Annotated[
    int | None,
    typer.Option(min=0, help="Messages after this position; 0: all that are kept."),
]
