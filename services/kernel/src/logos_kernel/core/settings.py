"""The settings of one module: the profile's, and what operators have changed since (KER-40).

Versions count up with each change that is tried. One that is PENDING was made durable before
the module was asked, and holds only once it is settled.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from logos_kernel.core.errors import InvalidSettingsError, RevisionConflictError
from logos_kernel.core.schema import Schema

MAX_SETTINGS_BYTES: Final = 64 * 1024
MAX_DETAIL_BYTES: Final = 500
KEPT_VERSIONS: Final = 10
MAX_DEPTH: Final = 32
"""Of objects and lists in one another."""
BY_KERNEL: Final = "kernel"


class Outcome(StrEnum):
    """What became of a version."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    REQUIRES_RESTART = "REQUIRES_RESTART"
    REJECTED = "REJECTED"

    @property
    def holds(self) -> bool:
        """Whether a version with it is one that the module goes by."""
        return self in {Outcome.APPLIED, Outcome.REQUIRES_RESTART}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a module's settings."""

    number: int
    changes: str
    """What operators have changed of the profile's: a JSON object."""
    document: str
    """All settings, with the defaults of the schema: a JSON object."""
    by: str
    at_ms: int
    outcome: Outcome
    detail: str = ""


class ModuleSettings:
    """The versions of one module's settings.

    Args:
        profile: What the profile sets.
        schema: What they may be.
        versions: What is kept of earlier kernels, oldest first.
        now_ms: Wall clock.

    Raises:
        InvalidSettingsError: The profile's own are not allowed.
    """

    def __init__(
        self,
        profile: Mapping[str, object],
        schema: Schema,
        versions: Iterable[Version],
        now_ms: int,
    ) -> None:
        self.schema = schema
        self._profile = profile
        self.versions = list(versions)
        """Those that are kept, oldest first."""
        self._used = 0
        """Highest number that was used for a version on trial."""
        self.is_saved = True
        """Whether the newest version is durable."""
        self._adopt(now_ms)

    @property
    def active(self) -> Version:
        """The version that holds."""
        return next(one for one in reversed(self.versions) if one.outcome.holds)

    def refit(self, profile: Mapping[str, object], schema: Schema, now_ms: int) -> None:
        """Goes by another schema from now on. Nothing may be PENDING."""
        self._profile, self.schema = profile, schema
        self._adopt(now_ms)

    def use_number(self) -> int:
        """Returns a number for settings as a version on trial takes them; no other has it."""
        self._used = self._next
        return self._used

    @property
    def _next(self) -> int:
        return max(self._used, self.versions[-1].number if self.versions else 0) + 1

    def propose(self, patch: str, expected: int, by: str, now_ms: int) -> Version:
        """Returns the version that a patch would make, to be saved, `taken` and settled.

        Raises:
            RevisionConflictError: Another version than `expected` holds.
            InvalidSettingsError: The patch, or what results, cannot be.
        """
        held = self.active
        if expected != held.number:
            raise RevisionConflictError(f"version {held.number} holds, not {expected}")
        changes = merged(json.loads(held.changes), parse_patch(patch))
        self.schema.check_changes(changes)
        return self._version(changes, by, now_ms, Outcome.PENDING)

    def take(self, version: Version) -> None:
        """Adds a version that is durable."""
        self.versions.append(version)
        self._trim()

    def settle(self, outcome: Outcome, detail: str) -> Version:
        """Decides the newest version, which is PENDING; returns it, to be saved."""
        decided = replace(self.versions[-1], outcome=outcome, detail=_cut(detail))
        settled = self.versions[-1] = decided
        self._trim()
        return settled

    def _adopt(self, now_ms: int) -> None:
        """Makes a new version where the last one does not hold as it stands.

        The module may go by one that was PENDING when its kernel ended: a newer one undoes that.
        """
        held = [one for one in self.versions if one.outcome.holds]
        changes = json.loads(held[-1].changes) if held else {}
        detail = ""
        try:
            self.schema.check_changes(changes)
            now = self._version(changes, BY_KERNEL, now_ms, Outcome.APPLIED)
        except InvalidSettingsError as error:
            if not changes:
                raise
            detail = f"changes of operators dropped: {error}"
            now = self._version({}, BY_KERNEL, now_ms, Outcome.APPLIED)
        is_pending = bool(self.versions) and self.versions[-1].outcome is Outcome.PENDING
        if not held or held[-1].document != now.document or is_pending:
            self.take(replace(now, detail=_cut(detail)))
            self.is_saved = False

    def _version(
        self, changes: dict[str, object], by: str, now_ms: int, outcome: Outcome
    ) -> Version:
        document = self.schema.complete(merged(self._profile, changes))
        return Version(self._next, _text(changes), _text(document), by, now_ms, outcome)

    def _trim(self) -> None:
        """Drops the oldest beyond what is kept, but never the one that holds."""
        old = self.versions[:-KEPT_VERSIONS]
        keep = [one for one in old if one is self.active]
        self.versions = [*keep, *self.versions[-KEPT_VERSIONS:]]


def parse_patch(text: str) -> dict[str, object]:
    """Reads a patch, or raises `InvalidSettingsError`."""
    if len(text.encode(errors="surrogatepass")) > MAX_SETTINGS_BYTES:
        raise _invalid(f"is over {MAX_SETTINGS_BYTES} bytes")
    try:
        patch = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"is not JSON: {error}") from error
    if not isinstance(patch, dict):
        raise _invalid("must be a JSON object")
    if _depth(patch) > MAX_DEPTH:
        raise _invalid(f"is more than {MAX_DEPTH} levels deep")
    return patch


def merged(base: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Returns `base` with a patch: a JSON Merge Patch, where null removes (RFC 7396)."""
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


def _depth(value: object) -> int:
    """Returns how deep a document is, counted without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        level = below
    return depth - 1


def _text(document: Mapping[str, object]) -> str:
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except ValueError as error:
        raise _invalid("holds half of a surrogate pair, or a number that is too large") from error
    if size > MAX_SETTINGS_BYTES:
        raise _invalid(f"makes settings of over {MAX_SETTINGS_BYTES} bytes")
    return text


def _cut(detail: str) -> str:
    """Returns a text that every store holds."""
    return detail.encode()[:MAX_DETAIL_BYTES].decode(errors="ignore").replace("\0", "")


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number")


def _invalid(what: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"patch_json: {what}", field="patch_json")
