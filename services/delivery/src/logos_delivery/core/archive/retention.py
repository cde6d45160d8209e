"""Removes what is no longer to be kept: a machine (`logos_base.machine`).

A run goes through the policies. For each it has the place found from which on messages are kept,
and what stands before it deleted in batches: between two of them others may write. Where several
nodes share an archive, each finds the place from what is there, so none removes twice.

The time of its inputs is the wall clock. Spec: docs/protocol/delivery-store.md, DST-22, DST-23.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.archive.policies import KeepBytes, KeepCount, KeepTime, Policy
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.types import Position

INTERVAL_MS: Final = 30 * 60_000
RETRY_MS: Final = 60_000
BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Find:
    """Find from where on a policy keeps messages, by `place_of`; report `found` or `failed`."""

    policy: KeepCount | KeepBytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the oldest messages before a position; report `deleted` or `failed`."""

    before: Position
    limit: int


@dataclass(frozen=True, slots=True)
class Reclaim:
    """Give unused room back to the disk; report `reclaimed_part`, `reclaimed` or `failed`."""


Effect = Find | Delete | Reclaim


async def place_of(archive: Archive, policy: KeepCount | KeepBytes) -> Position | None:
    """Returns from where on a policy keeps messages; None if it keeps all (DST-21)."""
    if isinstance(policy, KeepBytes):
        return await archive.first_of_newest_bytes(policy.size_bytes)
    if await archive.count() < policy.acts_at:
        return None
    return await archive.first_of_newest(policy.leaves)


class Retention:
    """The runs of one node."""

    def __init__(self, policies: Sequence[Policy], now_ms: int) -> None:
        self._policies = tuple(policies)
        self._due_ms = now_ms
        self._left: list[Policy] = []
        """Policies that this run has not come to."""
        self._before: Position | None = None
        self._is_running = False
        self._deleted = 0
        self.removed = 0
        """Messages removed since the start."""
        self.removed_at_ms: int | None = None
        """When messages were last removed."""

    def found(self, position: Position | None, now_ms: int) -> list[Effect]:
        """The outcome of `Find`."""
        if position is None:
            return self._go_on(now_ms)
        return self._delete(position)

    def deleted(self, count: int, now_ms: int) -> list[Effect]:
        """The outcome of `Delete`."""
        if count:
            self._deleted += count
            self.removed += count
            self.removed_at_ms = now_ms
        if count >= BATCH and self._before is not None:
            return self._delete(self._before)
        return self._go_on(now_ms)

    def reclaimed_part(self, now_ms: int) -> list[Effect]:
        """The outcome of `Reclaim`: there is more."""
        return [Reclaim()]

    def reclaimed(self, now_ms: int) -> list[Effect]:
        """The outcome of `Reclaim`: there is no more."""
        return self._end(now_ms + INTERVAL_MS)

    def failed(self, error: Exception, now_ms: int) -> list[Effect]:
        """An effect has failed: the run ends, and the next comes soon."""
        return self._end(now_ms + RETRY_MS)

    def tick(self, now_ms: int) -> list[Effect]:
        """Begins a run if it is due."""
        if self._is_running or not self._policies or now_ms < self._due_ms:
            return []
        self._is_running = True
        self._left, self._deleted = list(self._policies), 0
        return self._go_on(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when the next run is due."""
        return None if self._is_running or not self._policies else self._due_ms

    def _go_on(self, now_ms: int) -> list[Effect]:
        if not self._left:
            return [Reclaim()] if self._deleted else self._end(now_ms + INTERVAL_MS)
        policy = self._left.pop(0)
        if isinstance(policy, KeepTime):
            cutoff_ms = max(0, now_ms - policy.seconds * 1000)
            return self._delete(Position(cutoff_ms * 1_000_000, b""))
        return [Find(policy)]

    def _delete(self, before: Position) -> list[Effect]:
        self._before = before
        return [Delete(before, BATCH)]

    def _end(self, due_ms: int) -> list[Effect]:
        self._is_running, self._due_ms = False, due_ms
        self._left.clear()
        return []
