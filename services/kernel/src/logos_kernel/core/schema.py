"""The schemas of settings: JSON Schema, draft 7, from the manifests of modules (KER-40)."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any, Final

import fastjsonschema

from logos_kernel.core.errors import InvalidSettingsError

DRAFT: Final = "http://json-schema.org/draft-07/schema#"  # the name of the draft, never fetched
COMMON: Final[Mapping[str, object]] = {
    "log_level": {
        "enum": ["DEBUG", "INFO", "WARNING", "ERROR"],
        "description": "Least severe log lines that are written.",
    }
}
"""Settings that every module has."""


class Schema:
    """What the settings of one module may be.

    Args:
        declared: The manifest's table `settings`; empty if it has none: then the profile may set
            anything, and operators change the common settings only.

    Raises:
        ValueError: It is not a schema, or refers to another document.
    """

    def __init__(self, declared: Mapping[str, object]) -> None:
        properties = declared.get("properties", {})
        if not isinstance(properties, dict):
            raise ValueError("settings.properties: must be a table")  # noqa: TRY004 -- as for all
        own = {"$schema": DRAFT, "type": "object", **declared}
        own["properties"] = {**COMMON, **properties}
        self._is_declared = bool(declared)
        try:
            self.text: Final = json.dumps(own, ensure_ascii=False, allow_nan=False)
        except TypeError as error:
            raise ValueError(f"settings: {error}") from error
        self._validate = _compile(self.text)

    def complete(self, document: Mapping[str, object]) -> dict[str, object]:
        """Returns settings with the defaults of the schema, or raises `InvalidSettingsError`."""
        try:
            completed: dict[str, object] = self._validate(deepcopy(dict(document)))
        except fastjsonschema.JsonSchemaValueException as error:
            raise InvalidSettingsError(error.message.replace("data", "settings", 1)) from error
        return completed

    def check_changes(self, changes: Mapping[str, object]) -> None:
        """Raises `InvalidSettingsError` where operators may not change what they would."""
        unknown = sorted(changes.keys() - COMMON.keys())
        if unknown and not self._is_declared:
            raise InvalidSettingsError(
                f"{unknown[0]}: the manifest declares no schema of settings, so that only"
                f" {', '.join(COMMON)} can be changed"
            )


@lru_cache(maxsize=256)
def _compile(text: str) -> Any:
    schema = json.loads(text)
    for reference in _references(schema):
        if not str(reference).startswith("#"):
            raise ValueError(f"settings: $ref must begin with #, is {reference!r}")
    try:
        return fastjsonschema.compile(schema)
    except Exception as error:  # the library also raises what re and its generator raise
        raise ValueError(f"settings: is not a JSON Schema: {error}") from error


def _references(part: object) -> Iterator[object]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
