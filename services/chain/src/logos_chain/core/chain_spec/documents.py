"""Documents of JSON that have one form only, read strictly.

Spec: docs/protocol/chain-genesis.md, GEN-9.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NoReturn

from logos_chain.core.chain_spec.errors import ChainSpecInvalidError

_SHOWN: Final = 40


def canonical(document: Mapping[str, object]) -> bytes:
    """Returns the bytes of a document: ASCII, two spaces a level, sorted names, a line feed."""
    return json.dumps(document, indent=2, sort_keys=True).encode("ascii") + b"\n"


def parse(raw: bytes, *, limit: int) -> object:
    """Parses a document. Untrusted.

    Args:
        raw: Its bytes.
        limit: How many there may be.

    Raises:
        ChainSpecInvalidError: It is longer, no JSON, or has a name twice.
    """
    if len(raw) > limit:
        raise ChainSpecInvalidError(f"more than {limit} bytes")
    try:
        return json.loads(
            raw.decode("ascii"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise ChainSpecInvalidError(f"no JSON in ASCII: {type(error).__name__}") from None


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ChainSpecInvalidError("there twice", field=_shown(name))
        found[name] = value
    return found


def _no_constant(_text: str) -> NoReturn:
    raise ValueError("not a number of JSON")


class Table:
    """A table of a document. Every method raises `ChainSpecInvalidError` that names the field."""

    def __init__(self, value: object, place: str, names: Collection[str]) -> None:
        """Takes what was parsed.

        Args:
            value: Must be a table of exactly these names.
            place: Where it stands in the document; empty for the whole.
            names: All that it must have.
        """
        self._place = place
        if not isinstance(value, dict):
            raise ChainSpecInvalidError("must be a table", field=place or None)
        for name in sorted(set(names) ^ value.keys()):
            what = "is missing" if name in names else "is unknown"
            raise ChainSpecInvalidError(what, field=self.place(_shown(name)))
        self._value: dict[str, Any] = value

    def place(self, name: str) -> str:
        """Returns where a value stands in the document."""
        return f"{self._place}.{name}" if self._place else name

    def raw(self, name: str) -> object:
        """Returns a value that is looked at elsewhere."""
        return self._value[name]

    def table(self, name: str, names: Collection[str]) -> "Table":
        """Returns a table within it."""
        return Table(self._value[name], self.place(name), names)

    def flag(self, name: str) -> bool:
        """Returns true or false."""
        value = self._value[name]
        if not isinstance(value, bool):
            raise self._wrong(name, "must be true or false")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Returns a whole number within bounds, both of which it may have."""
        return self._integer(self._value[name], name, low, high)

    def ratio(self, name: str, high: int) -> tuple[int, int]:
        """Returns numerator and denominator, each from 1 to `high`, of a list of the two."""
        value = self._value[name]
        if not isinstance(value, list) or len(value) != 2:
            raise self._wrong(name, "must be a list of numerator and denominator")
        return self._integer(value[0], name, 1, high), self._integer(value[1], name, 1, high)

    def octets(self, name: str) -> bytes:
        """Returns bytes of any number, given in lower-case hexadecimal digits."""
        value = self._value[name]
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else None
        except ValueError:
            raw = None
        if raw is None or raw.hex() != value:
            raise self._wrong(name, "must be lower-case hexadecimal digits, two for each byte")
        return raw

    def word(self, name: str, longest: int) -> str:
        """Returns a name of lower-case letters, digits and dashes, of one character at least."""
        value = self._value[name]
        if not isinstance(value, str) or not 1 <= len(value) <= longest or not is_word(value):
            raise self._wrong(name, f"must be 1 to {longest} lower-case letters, digits, dashes")
        return value

    def _integer(self, value: object, name: str, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(name, f"must be a whole number, {low} to {high}")
        return value

    def _wrong(self, name: str, what: str) -> ChainSpecInvalidError:
        return ChainSpecInvalidError(what, field=self.place(name))


def is_word(text: str) -> bool:
    """Returns whether a text has lower-case letters of ASCII, digits and dashes alone."""
    return text.isascii() and text == text.lower() and text.replace("-", "0").isalnum()


def first_difference(found: object, expected: object, place: str = "") -> str | None:
    """Returns where two documents of equal names first differ, types included; None: nowhere."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted(expected):
            inner = f"{place}.{name}" if place else name
            different = first_difference(found.get(name), expected[name], inner)
            if different is not None:
                return different
        return None
    return None if type(found) is type(expected) and found == expected else place


def _shown(name: str) -> str:
    """Returns a name that others chose, short and printable."""
    return name if len(name) <= _SHOWN and is_word(name.replace("_", "-")) else ascii(name)[:_SHOWN]
