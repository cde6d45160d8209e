"""Names of topics, and patterns of them (KER-34, KER-36)."""

import re
from collections.abc import Iterable
from typing import Final

_MODULE: Final = r"[a-z][a-z0-9-]{0,63}"

EVENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
TOPIC: Final = re.compile(rf"{_MODULE}/{EVENT_NAME.pattern}")
"""`module/event`; the module owns it."""

TOPIC_PATTERN: Final = re.compile(rf"\*|{_MODULE}/(\*|{EVENT_NAME.pattern})")
"""A topic, all of a module, or all: `storage/stored`, `storage/*`, `*`."""

ALL: Final = "*"


def module_of(pattern: str) -> str:
    """Returns the module that a topic or pattern names; `ALL` if it names none."""
    return pattern.partition("/")[0]


def covers(patterns: Iterable[str], asked: str) -> bool:
    """Returns whether all that a topic or pattern stands for is among what patterns stand for."""
    return any(one in {ALL, asked, f"{module_of(asked)}/{ALL}"} for one in patterns)
