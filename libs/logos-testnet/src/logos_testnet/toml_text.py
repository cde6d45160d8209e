"""Values written as TOML: `tomllib` reads only."""

import json
from collections.abc import Mapping, Sequence


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
