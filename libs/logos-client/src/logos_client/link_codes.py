"""One-time codes for links to the app, kept as hashes in a folder of private files.

Whoever may write to the folder may make a link: the app, and `./logos` beside it. A code is
written `<sha256>`, and becomes `<sha256>.used` once; of several who spend it, one succeeds.
"""

import hashlib
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from logos_client.private_files import create_private

CODE_BYTES: Final = 16
CODE_LENGTH: Final = 22
LIFETIME_S: Final = 600
_KEPT_S: Final = 7 * 24 * 3600
_MOST: Final = 200
_USED: Final = ".used"


class Outcome(StrEnum):
    """What became of an attempt to spend a code."""

    ACCEPTED = "accepted"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spending:
    """The result of an attempt. `at_s`: when the code was used or expired, in Unix seconds."""

    outcome: Outcome
    at_s: int = 0


def new_code(folder: Path, now_s: int | None = None) -> str:
    """Makes a code of 128 random bits that holds for ten minutes. Makes the folder, mode 0700.

    Raises:
        OSError: It cannot be written.
    """
    now = _now(now_s)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(folder, now)
    code = urlsafe_b64encode(os.urandom(CODE_BYTES)).rstrip(b"=").decode("ascii")
    create_private(folder / _digest(code), f"{now + LIFETIME_S}\n".encode("ascii"))
    return code


def spend_code(folder: Path, code: str, now_s: int | None = None) -> Spending:
    """Uses a code up.

    Raises:
        OSError: The folder cannot be read or written.
    """
    now = _now(now_s)
    path = folder / _digest(code)
    used = path.with_name(path.name + _USED)
    if used.exists():
        return Spending(Outcome.USED, _number(used))
    try:
        until = _number(path)
        if until <= now:
            return Spending(Outcome.EXPIRED, until)
        path.rename(used)
    except FileNotFoundError:  # never made, or spent by another just now
        return Spending(Outcome.USED, now) if used.exists() else Spending(Outcome.UNKNOWN)
    used.write_text(f"{now}\n", encoding="ascii")
    return Spending(Outcome.ACCEPTED, now)


def _forget_old(folder: Path, now: int) -> None:
    """Removes codes of last week, and the oldest beyond 200."""
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for position, path in enumerate(files):
        if position >= _MOST - 1 or path.stat().st_mtime < now - _KEPT_S:
            path.unlink(missing_ok=True)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogateescape")).hexdigest()


def _number(path: Path) -> int:
    text = path.read_text(encoding="ascii").strip()
    return int(text) if text.isdecimal() else 0


def _now(now_s: int | None) -> int:
    return int(time.time()) if now_s is None else now_s  # noqa: TID251 - the clock of a command
