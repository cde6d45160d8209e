"""Which manifests this node advertises: a machine (`logos_base.machine`).

The network module repeats an advertisement by itself; the sweep renews all of them, also
those that were lost while that module was down.

Spec: docs/protocol/storage.md, STO-29.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from logos_storage.core.cid import Cid

KEYS_PER_CALL: Final = 1000
RETRY_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Sweep:
    """List all that is held; report `swept`."""


@dataclass(frozen=True, slots=True)
class PassOn:
    """Advertise manifests, or withdraw them; report `passed_on` or `not_passed_on`."""

    cids: tuple[Cid, ...]
    is_held: bool


Effect = Sweep | PassOn


class Announce:
    """The advertisements of one node. The first sweep is due at once."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._wanted: dict[Cid, bool] = {}
        """Whether a manifest is held, if the network module has yet to learn it."""
        self._passing: dict[Cid, bool] = {}
        """Part of the call in flight."""
        self._sweep_at_ms: int | None = 0
        """None while a sweep is under way."""
        self._retry_at_ms: int | None = None

    def announce(self, cid: Cid, now_ms: int) -> list[Effect]:
        """A manifest is held from now on."""
        self._wanted[cid] = True
        return self._pass_on()

    def withdraw(self, cid: Cid, now_ms: int) -> list[Effect]:
        """A manifest is held no longer."""
        self._wanted[cid] = False
        return self._pass_on()

    def swept(self, held: Iterable[Cid], now_ms: int) -> list[Effect]:
        """All manifests that are held. Changes reported since the sweep began take precedence."""
        self._sweep_at_ms = now_ms + self._interval_ms
        for cid in held:
            if cid not in self._passing:
                self._wanted.setdefault(cid, True)
        return self._pass_on()

    def passed_on(self, now_ms: int) -> list[Effect]:
        """The network module has taken the call."""
        self._passing = {}
        return self._pass_on()

    def not_passed_on(self, now_ms: int) -> list[Effect]:
        """The network module has not taken the call: it is retried after a pause."""
        self._wanted = {**self._passing, **self._wanted}
        self._passing = {}
        self._retry_at_ms = now_ms + RETRY_MS
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Retries, and sweeps."""
        effects: list[Effect] = []
        if self._retry_at_ms is not None and now_ms >= self._retry_at_ms:
            self._retry_at_ms = None
            effects += self._pass_on()
        if self._sweep_at_ms is not None and now_ms >= self._sweep_at_ms:
            self._sweep_at_ms = None
            effects.append(Sweep())
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = (self._retry_at_ms, self._sweep_at_ms)
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def _pass_on(self) -> list[Effect]:
        """Makes one call at a time, either to advertise or to withdraw."""
        if self._passing or self._retry_at_ms is not None or not self._wanted:
            return []
        is_held = next(iter(self._wanted.values()))
        same = (cid for cid, held in self._wanted.items() if held is is_held)
        cids = tuple(islice(same, KEYS_PER_CALL))
        self._passing = {cid: self._wanted.pop(cid) for cid in cids}
        return [PassOn(cids, is_held)]
