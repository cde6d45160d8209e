"""Keys that this node offers: how long, and when they are announced again.

Pure. Spec: docs/protocol/network.md, NET-11 (keys), NET-12 (lifetime, republishing).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from logos_mixnet.core.backoff import Backoff, Rng
from logos_mixnet.core.errors import InvalidKeyError, InvalidTtlError

MAX_KEY_BYTES: Final = 128
MAX_KEYS_PER_CALL: Final = 1000
MAX_KEYS: Final = 1_000_000
MAX_EXPIRED: Final = 64
"""Keys that are removed at once when their time is over."""

RECORD_TTL_S: Final = 24 * 3600
MAX_TTL_MS: Final = 24 * 3600 * 1000
REPUBLISH_MS: Final = 11 * 3600 * 1000
SMALL_NETWORK_PEERS: Final = 20
"""Kademlia's k: with fewer peers a record has not reached as many nodes as it should."""
SMALL_NETWORK_REPUBLISH_MS: Final = 15 * 60 * 1000
RETRY: Final = Backoff(1000, 60_000)


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One key that is being announced."""

    key: bytes
    expires_ms: int
    """Unix time."""
    next_provide_ms: int = 0
    """Unix time at which it is announced next."""
    failures: int = 0
    """Since the last success."""

    def provided(self, now_ms: int, *, peers: int, rng: Rng) -> "Advertisement":
        """Returns it as it is after it was announced with this many peers connected."""
        plain = REPUBLISH_MS if peers >= SMALL_NETWORK_PEERS else SMALL_NETWORK_REPUBLISH_MS
        wait_ms = round(plain * (1 - 0.1 * rng.random()))  # spread, and never later than the rule
        return replace(self, next_provide_ms=now_ms + wait_ms, failures=0)

    def not_provided(self, now_ms: int, *, rng: Rng) -> "Advertisement":
        """Returns it as it is after it could not be announced."""
        failures = self.failures + 1
        next_ms = now_ms + RETRY.delay_ms(failures, rng)
        return replace(self, next_provide_ms=next_ms, failures=failures)


MakeDue = Literal["all", "failed"]
"""Which keys to make due at once: all, or those that failed last."""


@dataclass(frozen=True, slots=True)
class Due:
    """What was due at a time."""

    expired: list[bytes]
    """Keys whose time was over; the store has them no longer."""
    advertisements: list[Advertisement]
    """To be announced, longest due first."""
    next_ms: int | None
    """When the next key is to be announced or over; None if there is none."""


class AdvertisementStore(Protocol):
    """Advertisements by key. Every call is durable when it returns."""

    async def extend(self, keys: Sequence[bytes], *, expires_ms: int, limit: int) -> None:
        """Adds keys, due at once, and sets the end of those that are there.

        Raises:
            TooManyKeysError: There would be more than `limit`; nothing is changed.
        """
        ...

    async def remove(self, keys: Sequence[bytes]) -> None:
        """Removes keys. Idempotent."""
        ...

    async def take_due(self, now_ms: int, limit: int, make_due: MakeDue | None) -> Due:
        """Makes keys due, removes `MAX_EXPIRED` that are over, returns `limit` to announce."""
        ...

    async def reschedule(self, advertisements: Sequence[Advertisement]) -> None:
        """Writes back `next_provide_ms` and `failures` of keys that still exist."""
        ...


def check_key(key: bytes, *, field: str) -> None:
    """Raises `InvalidKeyError` unless a key has 1 to 128 bytes."""
    if not 1 <= len(key) <= MAX_KEY_BYTES:
        raise InvalidKeyError(f"a key has 1 to {MAX_KEY_BYTES} bytes", field=field)


def check_keys(keys: Sequence[bytes]) -> list[bytes]:
    """Returns the keys of one call, each once, or raises `InvalidKeyError`."""
    if len(keys) > MAX_KEYS_PER_CALL:
        raise InvalidKeyError(f"at most {MAX_KEYS_PER_CALL} keys a call")
    for index, key in enumerate(keys):
        check_key(key, field=f"keys[{index}]")
    return list(dict.fromkeys(keys))


def check_ttl(ttl_ms: int | None) -> int:
    """Returns how long an advertisement lasts; None means 24 hours, the most."""
    if ttl_ms is None:
        return MAX_TTL_MS
    if not 0 < ttl_ms <= MAX_TTL_MS:
        raise InvalidTtlError("an advertisement lasts up to 24 hours")
    return ttl_ms
