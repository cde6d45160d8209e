"""What is kept for how long, as an operator writes it: `time:172800;capacity:25000;size:30GB`.

Spec: docs/protocol/delivery-store.md, DST-20, DST-21.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from logos_base.errors import ConfigError

_FORM: Final = re.compile(r"(time|capacity|size):([0-9]*\.?[0-9]+)(kb|mb|gb)?")
_UNITS: Final = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_MAX: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class KeepTime:
    """Messages of the last so many seconds."""

    seconds: int

    def __str__(self) -> str:
        return f"time:{self.seconds}"


@dataclass(frozen=True, slots=True)
class KeepCount:
    """The newest so many messages, nearly: it acts from 30 % over on, and leaves 15 %."""

    count: int

    @property
    def acts_at(self) -> int:
        """From how many messages on it acts."""
        return self.count * 13 // 10

    @property
    def leaves(self) -> int:
        """How many messages it leaves."""
        return self.count + self.count * 3 // 10 // 2

    def __str__(self) -> str:
        return f"capacity:{self.count}"


@dataclass(frozen=True, slots=True)
class KeepBytes:
    """The newest messages that take no more than so many bytes on disk."""

    size_bytes: int

    def __str__(self) -> str:
        for unit in ("gb", "mb", "kb"):
            count, rest = divmod(self.size_bytes, _UNITS[unit])
            if not rest:
                return f"size:{count}{unit.upper()}"
        return f"size:{float(Fraction(self.size_bytes, _UNITS['kb'])):.3f}KB"


Policy = KeepTime | KeepCount | KeepBytes

DEFAULT: Final = (KeepTime(2 * 24 * 3600),)


def parse_policies(text: str) -> tuple[Policy, ...]:
    """Reads policies joined by semicolons; each of them removes what it does not keep.

    Empty and `none` are no policy: everything is kept.

    Raises:
        ConfigError: With all problems.
    """
    policies: list[Policy] = []
    problems: list[str] = []
    for part in text.split(";"):
        word = part.strip().lower()
        if word in {"", "none"}:
            continue
        try:
            one = _parse(word)
        except ValueError as error:
            problems.append(f"retention policy {part.strip()[:80]!r}: {error}")
            continue
        if any(type(one) is type(other) for other in policies):
            problems.append(f"retention policy {part.strip()[:80]!r}: its kind is there twice")
        policies.append(one)
    if problems:
        raise ConfigError(problems)
    return tuple(policies)


def _parse(word: str) -> Policy:
    match = _FORM.fullmatch(word)
    if match is None:
        raise ValueError("not time:SECONDS, capacity:COUNT, or size:NUMBER with KB, MB or GB")
    kind, digits, unit = match.groups()
    if kind == "size":
        if unit is None:
            raise ValueError("a size needs its unit: KB, MB or GB")
        size_bytes = int(Fraction(digits) * _UNITS[unit]) if len(digits) <= 20 else _MAX
        return KeepBytes(_within(size_bytes))
    if unit is not None or not digits.isdecimal():
        raise ValueError(f"{kind} takes a whole number without a unit")
    number = _within(int(digits) if len(digits) <= 20 else _MAX)
    return KeepTime(number) if kind == "time" else KeepCount(number)


def _within(value: int) -> int:
    if not 0 < value < _MAX:
        raise ValueError("not a number from 1 to 2**53-1")
    return value
