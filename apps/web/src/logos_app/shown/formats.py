"""Numbers, sizes, times and ids as the pages show them. The unit always, three figures."""

from datetime import datetime
from typing import Final

KIB: Final = 1024
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
MAX_SHOWN: Final = 200
UNKNOWN: Final = "?"


def number(value: float) -> str:
    """`9,204`; below a thousand three figures: `38.4`, `0.52`."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{round(value):,}"
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def size(count: float | None) -> str:
    """`812 B`, `48.6 KiB`, `1.9 GiB`."""
    if count is None:
        return UNKNOWN
    value, unit = float(count), 0
    while round(value, 1) >= KIB and unit < len(_UNITS) - 1:
        value /= KIB
        unit += 1
    if unit == 0:
        return f"{round(value)} B"
    return f"{_three(value)} {_UNITS[unit]}"


def _three(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def rate(bytes_per_s: float | None) -> str:
    """`38.4 MiB/s`."""
    return UNKNOWN if bytes_per_s is None else f"{size(bytes_per_s)}/s"


def amount(done: int, total: int) -> str:
    """`412 of 664 MiB`: both in the unit of the total; `37.1 KiB of 20 GiB` where that says 0."""
    value, unit = float(total), 0
    while round(value, 1) >= KIB and unit < len(_UNITS) - 1:
        value /= KIB
        unit += 1
    part = done / KIB**unit
    shown = str(round(part)) if unit == 0 else _three(part)
    # What is there is never called nothing.
    return f"{size(done) if shown == '0' and done else shown} of {size(total)}"


def percent(done: int, total: int) -> str:
    """`62 %`, rounded down: `100 %` says that nothing is lacking."""
    return "100 %" if done >= total else f"{done * 100 // total} %"


def duration(ms: float | None) -> str:
    """`41 ms`, `3.6 s`, `2 min 05 s`, `1 h 03 min`, `2 d 4 h`."""
    if ms is None:
        return UNKNOWN
    if ms < 999.5:
        return f"{_three(ms) if ms >= 10 else number(float(ms))} ms"
    if ms < 59_950:
        return f"{_three(ms / 1000)} s"
    seconds = round(ms / 1000)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def about(ms: float | None) -> str:
    """A duration for the glance: `12 min`, `3 h`."""
    if ms is None:
        return UNKNOWN
    seconds = ms / 1000
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if seconds < 172_800 else f"{int(seconds // 86_400)} d"


def clock(at: datetime, now: datetime) -> str:
    """`14:02:31` of today, else `27 Nov 18:20`, with the year where it is another."""
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def moment(at: datetime) -> str:
    """`14:02:31.204`, for events."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def short_id(text: str) -> str:
    """`zDv…k9Qe7`: the beginning and the end of an id."""
    return text if len(text) <= 12 else f"{text[:3]}…{text[-5:]}"


def shown(text: str) -> str:
    """Others' text: control and direction characters in sight, cut at 200 characters."""
    visible = "".join(_visible(letter) for letter in text[: MAX_SHOWN + 1])
    return visible if len(text) <= MAX_SHOWN else f"{visible[:MAX_SHOWN]}…"


def _visible(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or code in _DIRECTIONS or 0xD800 <= code < 0xE000:
        return f"[U+{code:04X}]"
    return letter


_DIRECTIONS: Final = frozenset(
    {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}
)
