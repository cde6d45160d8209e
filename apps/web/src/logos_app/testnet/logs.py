"""Lines of logs: the JSON that our modules write, and what others do. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from logos_app.shown import formats

_KINDS: Final = {"warning": "warn", "warn": "warn", "error": "bad", "critical": "bad"}
MAX_LINE: Final = 2000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line."""

    at_ms: int
    """0: it does not say."""
    level: str
    kind: str
    """`warn`, `bad` or nothing: how it looks."""
    text: str


def read_line(line: str) -> LogLine:
    """Reads a line; what is no JSON object of ours is shown as it is."""
    try:
        said: Any = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return LogLine(0, "", "", _visible(line))
    level = str(said.get("level", ""))[:10].lower()
    text = said.get("message", said.get("event", said.get("msg")))
    known = {
        "level",
        "message",
        "event",
        "msg",
        "time",
        "at",
        "ts",
        "timestamp",
        "logger",
        "module",
    }
    others = {name: value for name, value in said.items() if name not in known}
    more = " ".join(f"{name}={value}" for name, value in others.items())
    whole = f"{text} {more}".strip() if isinstance(text, str) else line
    return LogLine(
        _time(said), level.replace("warning", "warn"), _KINDS.get(level, ""), _visible(whole)
    )


def _time(said: dict[str, Any]) -> int:
    for name in ("time", "at", "ts", "timestamp"):
        value = said.get(name)
        if isinstance(value, str):
            try:
                return int(datetime.fromisoformat(value).timestamp() * 1000)
            except ValueError:
                continue
        if isinstance(value, int | float) and 0 < value < 4e9:
            return int(value * 1000)
    return 0


def _visible(text: str) -> str:
    cut = text[:MAX_LINE]
    return "".join(formats.shown(cut[at : at + 200]) for at in range(0, len(cut), 200))
