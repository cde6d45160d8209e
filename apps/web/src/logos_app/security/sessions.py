"""Sessions of browsers: a random cookie each, of which only the hash is kept."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from logos_client.private_files import write_private

LIFETIME_S: Final = 7 * 24 * 3600
"""From the last request."""
MOST: Final = 100
"""The one that was used longest ago makes room for a new one."""
_SECRET_BYTES: Final = 32
_WRITTEN_EVERY_S: Final = 600


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's session."""

    name: str
    """First 16 hexadecimal digits of the cookie's SHA-256: for telling sessions apart."""
    digest: str
    """The cookie's SHA-256, in hexadecimal digits."""
    opened_at_s: int
    seen_at_s: int

    @property
    def until_s(self) -> int:
        """When it ends if nothing more is asked for, in Unix seconds."""
        return self.seen_at_s + LIFETIME_S


class Sessions:
    """All sessions, in memory and in a private file, so that they outlive the app."""

    def __init__(self, file: Path) -> None:
        """Reads the file; what cannot be read counts as no sessions: browsers open new ones."""
        self._file = file
        self._by_digest = {each.digest: each for each in _read(file)}

    def open(self, now_s: int) -> tuple[str, Session]:
        """Begins a session; returns its cookie too, which is known nowhere else.

        Raises:
            OSError: The file cannot be written; there is no session then.
        """
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        digest = digest_of(secret)
        session = Session(digest[:16], digest, now_s, now_s)
        kept = sorted(self._living(now_s), key=lambda each: each.seen_at_s)[-(MOST - 1) :]
        sessions = {each.digest: each for each in (*kept, session)}
        _write(self._file, sessions)
        self._by_digest = sessions
        return secret, session

    def find(self, secret: str, now_s: int) -> Session | None:
        """Returns the session of a cookie, which lives on from now; None if it has ended."""
        session = self._by_digest.get(digest_of(secret))
        if session is None or session.until_s <= now_s:
            return None
        if now_s - session.seen_at_s >= _WRITTEN_EVERY_S:
            session = replace(session, seen_at_s=now_s)
            self._by_digest[session.digest] = session
            _write(self._file, self._by_digest)
        return session

    def lives(self, digest: str, now_s: int) -> bool:
        """Whether the session of a digest has not ended. Does not lengthen it."""
        session = self._by_digest.get(digest)
        return session is not None and session.until_s > now_s

    def end(self, session: Session) -> None:
        """Ends a session.

        Raises:
            OSError: The file cannot be written; a later start of the app would know it still.
        """
        self._by_digest.pop(session.digest, None)
        _write(self._file, self._by_digest)

    def _living(self, now_s: int) -> list[Session]:
        return [each for each in self._by_digest.values() if each.until_s > now_s]


def digest_of(secret: str) -> str:
    """SHA-256 of a cookie, in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _read(file: Path) -> list[Session]:
    try:
        rows = json.loads(file.read_text(encoding="ascii"))
        return [Session(**row) for row in rows][-MOST:]
    except (OSError, ValueError, TypeError):
        return []


def _write(file: Path, sessions: dict[str, Session]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows = [asdict(each) for each in sessions.values()]
    write_private(file, json.dumps(rows).encode("ascii"))
