"""Writes values as TOML: `tomllib` only reads."""

import json
from collections.abc import Mapping, Sequence


def _quoted(text: str) -> str:
    """A JSON string is a TOML string, except for surrogate pairs and DEL."""
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
    raise TypeError(f"{type(value).__name__} cannot be written as TOML")
