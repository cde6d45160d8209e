"""Where output goes: data to stdout, everything else to stderr."""

import codecs
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

stderr = Console(stderr=True, soft_wrap=True)

_WIDEST: Final = 100_000


class Output(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("--output", envvar="LOGOS_OUTPUT", help="How to print data on stdout.")
]


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
    """Prints records: as JSON whole, as a table only the named columns.

    A row is one line, however narrow the terminal: what is copied from it, or found by a
    program, stays in one piece.
    """
    if output is Output.JSON:
        print_json(list(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " ").upper(), no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(width=_WIDEST, markup=False, highlight=False).print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Prints one record for people, a line each field."""
    width = max(len(key) for key in fields)
    for key, value in fields.items():
        print(f"{key.replace('_', ' '):<{width}}  {_cell(value, empty='')}")


def _cell(value: object, *, empty: str = "-") -> str:
    """A value in one line."""
    if value is None or value == "":
        return empty
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item, empty=empty) for item in value) or empty
    return shown(str(value))


def shown(text: str) -> str:
    """Text as it may stand on a terminal: what moves the cursor, or is no character, escaped."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def sized(count: int) -> str:
    """A number of bytes for people, e.g. `1.5 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes all")
