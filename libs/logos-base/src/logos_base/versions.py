"""Semantic versions, their order, and ranges of them: `>=0.1,<0.3`.

Source: Semantic Versioning 2.0.0, sections 9 to 11. A range holds a pre-release only if one of its
own versions is a pre-release of the same major, minor and patch, as npm and Cargo have it: who
asks for `<0.3` does not mean 0.3.0-rc.1.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_RANGE_CHARACTERS: Final = 200

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17})"
_LABEL: Final = r"[0-9A-Za-z.-]+"
_VERSION: Final = re.compile(
    rf"({_NUMBER})(?:\.({_NUMBER})(?:\.({_NUMBER})(?:-({_LABEL}))?(?:\+{_LABEL})?)?)?"
)
_COMPARATOR: Final = re.compile(r"\s*(>=|<=|!=|>|<|=)\s*(\S+)\s*")

_Key = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True, slots=True)
class Range:
    """Versions that every one of its comparators holds."""

    text: str
    """As it was written."""
    comparators: tuple[tuple[str, _Key], ...]

    def holds(self, version: str) -> bool:
        """Says whether a version is within. What is no semantic version is in no range."""
        try:
            key = version_key(version)
        except ValueError:
            return False
        is_release = key[3]
        if not is_release and not any(
            key[:3] == own[:3] and not own[3] for _, own in self.comparators
        ):
            return False
        return all(_OPERATORS[name](key, own) for name, own in self.comparators)

    def __str__(self) -> str:
        return self.text


def parse_range(text: str) -> Range:
    """Reads comparators that commas separate, e.g. `>=0.1,<0.3`; raises `ValueError`.

    A version in them may lack patch, or minor and patch: these are 0 then.
    """
    if len(text) > MAX_RANGE_CHARACTERS:
        raise ValueError(f"is over {MAX_RANGE_CHARACTERS} characters")
    comparators = []
    for part in text.split(","):
        found = _COMPARATOR.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is no comparison like >=0.1")
        comparators.append((found[1], version_key(found[2])))
    return Range(text.strip(), tuple(comparators))


def version_key(text: str) -> _Key:
    """Returns what orders versions as their precedence does; raises `ValueError`."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no semantic version")
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    pre = found[4]
    identifiers = tuple(map(_identifier_key, pre.split("."))) if pre else ()
    return major, minor, patch, pre is None, identifiers


def _identifier_key(identifier: str) -> tuple[bool, int, str]:
    """Numbers are lower than words, and compared as numbers."""
    if identifier.isdecimal():
        return False, int(identifier), ""
    return True, 0, identifier
