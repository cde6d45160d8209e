"""Line numbers of the tables and keys of a TOML text: `tomllib` reads values only."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys from the root; elements of an array of tables by index, from 0."""

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Returns the line, from 1, of every table and key that begins a line."""
    lines: dict[KeyPath, int] = {}
    elements: Counter[KeyPath] = Counter()
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _resolve(_split(header[2]), elements)
            if header[1] == "[[":
                elements[table] += 1
                lines.setdefault(table, number)
                table = (*table, elements[table] - 1)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            path = table
            for word in _split(key[1]):
                path = (*path, word)
                lines.setdefault(path, number)
    return lines


def _split(dotted: str) -> list[str]:
    return [word.strip("\"'") for word in dotted.split(".")]


def _resolve(words: list[str], elements: Counter[KeyPath]) -> KeyPath:
    """Turns `nodes.settings` into `nodes, 1, settings` after the second `[[nodes]]`."""
    path: KeyPath = ()
    for position, word in enumerate(words):
        path = (*path, word)
        if elements[path] and position < len(words) - 1:
            path = (*path, elements[path] - 1)
    return path


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Returns the line of a key, or of the nearest table around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
