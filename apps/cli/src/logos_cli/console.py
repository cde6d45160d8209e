"""Output: data to stdout, everything else to stderr."""

import codecs
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len

if TYPE_CHECKING:  # it takes longer to import than a call to a node takes
    from rich.console import Console


class Output(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("--output", envvar="LOGOS_OUTPUT", help="How to print data on stdout.")
]


@cache
def stderr() -> "Console":
    """Returns the console for everything that is not data."""
    from rich.console import Console  # noqa: PLC0415 - see above

    return Console(stderr=True, soft_wrap=True)


def print_json(document: object) -> None:
    """Prints a document as JSON, for programs."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=_is_narrow()) + "\n")


def print_json_line(document: object) -> None:
    """Prints one document of a stream as a line of JSON, at once."""
    print(json.dumps(document, ensure_ascii=_is_narrow()), flush=True)


def _is_narrow() -> bool:
    """Whether stdout cannot hold every character."""
    return codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], output: Output) -> None:
    """Prints records: completely as JSON, or the named columns as a table.

    A row is one line, however narrow the terminal, so that copied or searched text is not
    broken.
    """
    if output is Output.JSON:
        print_json(list(rows))
        return
    _print_table(
        [column.replace("_", " ").upper() for column in columns],
        [[_cell(row.get(column)) for column in columns] for row in rows],
    )


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    """Prints aligned columns, separated by two spaces."""
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    for line in (header, *rows):
        cells = (
            f"{cell}{' ' * (width - cell_len(cell))}"
            for cell, width in zip(line, widths, strict=True)
        )
        text = "  ".join(cells).rstrip()
        typer.secho(text, bold=line is header)


def _cell(value: object) -> str:
    """Returns a value as one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "-"
    return shown(str(value))


def shown(text: str) -> str:
    """Returns text that is safe for a terminal: control and unprintable characters are escaped."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def sized(count: int) -> str:
    """Formats a number of bytes, e.g. `1.5 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes all")
