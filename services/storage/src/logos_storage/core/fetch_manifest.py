"""Fetches one manifest: searches for providers, asks several, trusts its hash alone.

A machine (`logos_base.machine`). In each round all that a search finds are asked, a few at
a time; after a round without success it pauses, since an advertisement made a moment ago
may be about to arrive.

Spec: docs/protocol/storage.md, STO-21 and STO-22.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core import manifest as manifests
from logos_storage.core.cid import MANIFEST, Cid, cid_of
from logos_storage.core.errors import (
    BadDataError,
    ManifestMalformedError,
    NoProvidersError,
    ProvidersUnreachableError,
)

FIRST_PAUSE_MS: Final = 100
MAX_PAUSE_MS: Final = 1000
MAX_ASKED: Final = 4
MAX_PROVIDERS: Final = 1024
"""Providers remembered; further ones are ignored."""


@dataclass(frozen=True, slots=True)
class Search:
    """Look for providers; report `found` for each and `search_ended`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a provider for the manifest; report `answered`, `unreachable` or `lied`."""

    peer: str


@dataclass(frozen=True, slots=True)
class Found:
    """The manifest, verified, and the provider that sent it."""

    peer: str
    raw: bytes


Effect = Search | Ask | Answer | Refuse


class _Outcome(Enum):
    UNREACHABLE = auto()
    ABSENT = auto()
    FALSE = auto()


class FetchManifest:
    """The search for one manifest. Use once."""

    def __init__(self, cid: Cid) -> None:
        self._cid = cid
        self._ticket: Ticket | None = None
        """Of the question; None before it and after its answer."""
        self._ends_ms = 0
        self._outcomes: dict[str, _Outcome] = {}
        self._waiting: deque[str] = deque()
        self._asked: set[str] = set()
        self._is_searching = False
        self._pause_ms = FIRST_PAUSE_MS
        self._search_at_ms: int | None = None

    def fetch(self, ticket: Ticket, patience_ms: int, now_ms: int) -> list[Effect]:
        """Answers with `Found`.

        Refused with NoProvidersError, ProvidersUnreachableError or BadDataError once the
        patience is over, or every provider sent a false one.
        """
        self._ticket, self._ends_ms = ticket, now_ms + patience_ms
        return self._begin_round()

    def found(self, peer: str, now_ms: int) -> list[Effect]:
        """A search found a provider."""
        is_new = peer not in self._waiting and peer not in self._asked
        if is_new and self._outcomes.get(peer) is not _Outcome.FALSE and self._has_room(peer):
            self._waiting.append(peer)
        return list(self._ask())

    def _has_room(self, peer: str) -> bool:
        return peer in self._outcomes or len(self._outcomes) + len(self._waiting) < MAX_PROVIDERS

    def search_ended(self, now_ms: int) -> list[Effect]:
        """The search is over, with or without providers."""
        self._is_searching = False
        return self._settle(now_ms)

    def answered(self, peer: str, raw: bytes | None, now_ms: int) -> list[Effect]:
        """A provider sent a manifest, not verified, or answered that it has none."""
        if raw is None:
            return self._note(peer, _Outcome.ABSENT, now_ms)
        if not self._is_true(raw):
            return self._note(peer, _Outcome.FALSE, now_ms)
        return self._end(Found(peer, raw))

    def unreachable(self, peer: str, now_ms: int) -> list[Effect]:
        """A provider did not answer."""
        return self._note(peer, _Outcome.UNREACHABLE, now_ms)

    def lied(self, peer: str, now_ms: int) -> list[Effect]:
        """A provider broke the protocol."""
        return self._note(peer, _Outcome.FALSE, now_ms)

    def fail(self, error: Exception, now_ms: int) -> list[Effect]:
        """This node cannot ask any provider."""
        return self._end(error)

    def tick(self, now_ms: int) -> list[Effect]:
        """Gives up, or begins the next round."""
        if self._ticket is not None and now_ms >= self._ends_ms:
            return self._end(self._failure())
        if self._search_at_ms is not None and now_ms >= self._search_at_ms:
            return self._begin_round()
        return []

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        if self._ticket is None:
            return None
        return (
            self._ends_ms if self._search_at_ms is None else min(self._ends_ms, self._search_at_ms)
        )

    def _begin_round(self) -> list[Effect]:
        self._search_at_ms, self._is_searching = None, True
        return [Search()]

    def _ask(self) -> Iterator[Effect]:
        while self._ticket is not None and self._waiting and len(self._asked) < MAX_ASKED:
            peer = self._waiting.popleft()
            self._asked.add(peer)
            self._outcomes[peer] = _Outcome.UNREACHABLE  # as long as it has not answered
            yield Ask(peer)

    def _note(self, peer: str, outcome: _Outcome, now_ms: int) -> list[Effect]:
        self._asked.discard(peer)
        self._outcomes[peer] = outcome
        return [*self._ask(), *self._settle(now_ms)]

    def _settle(self, now_ms: int) -> list[Effect]:
        """Ends a round that has no more to wait for."""
        if self._ticket is None or self._is_searching or self._asked:
            return []
        if self._are_all_false():
            return self._end(self._failure())
        self._search_at_ms = now_ms + self._pause_ms
        self._pause_ms = min(2 * self._pause_ms, MAX_PAUSE_MS)
        return []

    def _end(self, outcome: Found | Exception) -> list[Effect]:
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            return []
        if isinstance(outcome, Found):
            return [Answer(ticket, outcome)]
        return [Refuse(ticket, outcome)]

    def _are_all_false(self) -> bool:
        outcomes = self._outcomes.values()
        return bool(outcomes) and all(one is _Outcome.FALSE for one in outcomes)

    def _failure(self) -> Exception:
        if self._are_all_false():
            return BadDataError("every provider sent a false manifest")
        if _Outcome.UNREACHABLE in self._outcomes.values():
            return ProvidersUnreachableError("the providers that were found do not answer")
        return NoProvidersError(f"no node was found that holds {self._cid}")

    def _is_true(self, raw: bytes) -> bool:
        if cid_of(MANIFEST, raw) != self._cid:
            return False
        try:
            manifests.decode(raw)
        except ManifestMalformedError:
            return False
        return True
