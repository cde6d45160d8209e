"""TOML as text: where its keys stand, and values written as TOML.

`tomllib` reads values only; a topology's problems are told with their line.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys from the root; the number of an element of an array of tables, from 0."""

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Returns the line, from 1, of every table and key that stands at the start of one."""
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
    """Turns `nodes.settings` into `nodes, 1, settings` below the second `[[nodes]]`."""
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


def _quoted(text: str) -> str:
    """JSON's form is TOML's too, but for surrogate pairs and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def to_toml(value: object) -> str:
    """Writes a value as TOML. Tables become inline tables, sorted by key."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_quoted(key)} = {to_toml(value[key])}" for key in sorted(value))
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(to_toml(item) for item in value)}]"
    raise TypeError(f"TOML has no form for {type(value).__name__}")
