"""HTTP ranges (RFC 9110 §14), and which content is shown in the page. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
INLINE: Final = frozenset(
    {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif",
        "video/mp4", "video/webm",
        "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm",
    }
)  # fmt: skip
"""Shown in the page. Nothing that could hold a script: no SVG, no HTML, no PDF."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.last - self.first + 1


class UnsatisfiableError(Exception):
    """The range begins past the end: 416."""


def span_of(header: str | None, size: int) -> Span | None:
    """The range that a header asks for; None for the whole, as for forms that are not served.

    Raises:
        UnsatisfiableError: It begins past the end.
    """
    found = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":  # the last so many
        count = min(int(found[2]), size)
        if count == 0:
            raise UnsatisfiableError
        return Span(size - count, size - 1)
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise UnsatisfiableError
    return Span(first, last)


def kind_of(mimetype: str) -> str:
    """How a file is shown: `image`, `video`, `audio`, `text`, or `none`: only to save."""
    named = mimetype.partition(";")[0].strip().lower()
    if named in INLINE:
        return named.partition("/")[0]
    is_text = named.startswith("text/") or named in {"application/json", "application/toml"}
    return "text" if is_text else "none"


def headers_of(mimetype: str, filename: str) -> dict[str, str]:
    """The type and disposition that a file is sent with: what is not known to be safe is saved."""
    named = mimetype.partition(";")[0].strip().lower()
    shown = quote(filename or "file", safe="")
    if named in INLINE:
        return {"Content-Type": named, "Content-Disposition": f"inline; filename*=UTF-8''{shown}"}
    text = "text/plain; charset=utf-8"
    content = text if kind_of(mimetype) == "text" else "application/octet-stream"
    saved = "inline" if content == text else "attachment"
    return {"Content-Type": content, "Content-Disposition": f"{saved}; filename*=UTF-8''{shown}"}
