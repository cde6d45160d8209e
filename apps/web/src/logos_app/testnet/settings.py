"""A module's settings: those that hold, and their versions, each with what it changed. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from logos.kernel.v1 import settings_pb2 as pb
from logos_app.nodes.reading import milliseconds

MOST: Final = 100
"""Settings of a module that are shown."""
MAX_VALUE: Final = 200
_OUTCOMES: Final = {
    pb.SETTINGS_OUTCOME_APPLIED: "it holds",
    pb.SETTINGS_OUTCOME_REQUIRES_RESTART: "it holds after a restart",
    pb.SETTINGS_OUTCOME_REJECTED: "the module refused it",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    """With those that it lies in, joined by dots."""
    value: str
    """As JSON, at most 200 characters."""
    is_changed: bool
    """An operator has changed it; else it is the profile's or the default."""
    description: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version, also one that was refused."""

    number: int
    at_ms: int
    by: str
    outcome: str
    detail: str
    changes: tuple[str, ...]
    """`name: before → after`, beside the version that held before."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a module's page shows."""

    number: int
    settings: tuple[Setting, ...]
    versions: tuple[Version, ...]
    """Newest first."""


def settings_of(answer: pb.GetSettingsResponse) -> Settings:
    """The settings of a module as its kernel tells of them."""
    changed = dict(_leaves(_object(answer.changes_json)))
    schema = _object(answer.schema_json)
    found = [
        Setting(name, value, name in changed, _described(schema, name))
        for name, value in _leaves(_object(answer.active.document_json))
    ]
    return Settings(answer.active.version, tuple(found[:MOST]), tuple(_versions(answer)))


def _versions(answer: pb.GetSettingsResponse) -> Iterator[Version]:
    for at, one in enumerate(answer.history):
        held = [each for each in answer.history[at + 1 :] if _holds(each)]
        before = dict(_leaves(_object(held[0].document_json))) if held else None
        now = dict(_leaves(_object(one.document_json)))
        yield Version(
            one.version,
            milliseconds(one.at),
            one.by[:100],
            _OUTCOMES.get(one.outcome, "what became of it is not known"),
            one.detail[:300],
            () if before is None else tuple(_differences(before, now)),
        )


def _holds(one: pb.SettingsVersion) -> bool:
    return one.outcome in {pb.SETTINGS_OUTCOME_APPLIED, pb.SETTINGS_OUTCOME_REQUIRES_RESTART}


def _differences(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys())[:MOST]:
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name, 'unset')} → {now.get(name, 'unset')}"


def _object(text: str) -> dict[str, Any]:
    """An object of JSON; an empty one of what is none."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _leaves(document: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(document.items()):
        whole = f"{path}{name}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{whole}.")
        else:
            yield whole, json.dumps(value, ensure_ascii=False)[:MAX_VALUE]


def _described(schema: dict[str, Any], name: str) -> str:
    part: Any = schema
    for word in name.split("."):
        properties = part.get("properties") if isinstance(part, dict) else None
        part = properties.get(word) if isinstance(properties, dict) else None
    text = part.get("description", "") if isinstance(part, dict) else ""
    return text[:300] if isinstance(text, str) else ""
