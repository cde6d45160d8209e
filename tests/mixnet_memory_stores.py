"""Stores of mixnet in memory, for tests and simulations."""

from collections.abc import Sequence
from dataclasses import replace

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord
from logos_mixnet.core.advertisements import Advertisement
from logos_mixnet.core.errors import TooManyKeysError


class MemoryPeerStore:
    """`PeerStore` that ends with the process."""

    def __init__(self) -> None:
        self._peers: dict[str, PeerRecord] = {}
        self._bans: dict[str, Ban] = {}

    async def load_peers(self) -> list[PeerRecord]:
        return [self._peers[name] for name in sorted(self._peers)]

    async def save_peers(self, changes: Changes) -> None:
        self._peers.update({record.peer_id: record for record in changes.changed})
        for name in changes.removed:
            self._peers.pop(name, None)

    async def load_bans(self) -> list[Ban]:
        return [self._bans[name] for name in sorted(self._bans)]

    async def save_ban(self, ban: Ban) -> None:
        self._bans[ban.peer_id] = ban

    async def remove_ban(self, peer_id: str) -> None:
        self._bans.pop(peer_id, None)


class MemoryAdvertisementStore:
    """`AdvertisementStore` that ends with the process."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Advertisement] = {}

    async def count(self) -> int:
        return len(self._kept)

    async def extend(self, keys: Sequence[bytes], *, expires_ms: int, limit: int) -> list[bytes]:
        fresh = [key for key in keys if key not in self._kept]
        if len(self._kept) + len(fresh) > limit:
            raise TooManyKeysError(f"this node advertises at most {limit} keys")
        for key in keys:
            former = self._kept.get(key, Advertisement(key, expires_ms))
            self._kept[key] = replace(former, expires_ms=expires_ms)
        return fresh

    async def remove(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._kept.pop(key, None)

    async def due(self, now_ms: int, limit: int) -> list[Advertisement]:
        due = [each for each in self._kept.values() if each.next_provide_ms <= now_ms]
        return sorted(due, key=lambda each: (each.next_provide_ms, each.key))[:limit]

    async def expired(self, now_ms: int, limit: int) -> list[bytes]:
        over = [each for each in self._kept.values() if each.expires_ms <= now_ms]
        return [each.key for each in sorted(over, key=lambda each: each.expires_ms)][:limit]

    async def reschedule(self, advertisements: Sequence[Advertisement]) -> None:
        for each in advertisements:
            kept = self._kept.get(each.key)
            if kept is not None:
                self._kept[each.key] = replace(
                    kept, next_provide_ms=each.next_provide_ms, failures=each.failures
                )

    async def make_all_due(self, *, only_failed: bool) -> None:
        for key, each in self._kept.items():
            if each.failures or not only_failed:
                self._kept[key] = replace(each, next_provide_ms=0)

    async def next_event_ms(self) -> int | None:
        times = (min(each.next_provide_ms, each.expires_ms) for each in self._kept.values())
        return min(times, default=None)
