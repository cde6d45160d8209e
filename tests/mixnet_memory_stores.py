"""Stores of mixnet in memory, for tests and simulations."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord
from logos_mixnet.core.advertisements import MAX_EXPIRED, Advertisement, Due, MakeDue
from logos_mixnet.core.capability.offers import Offer
from logos_mixnet.core.errors import TooManyKeysError
from logos_mixnet.core.rln.announced import Announced
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import RegistrationClosedError
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import SlashRecord


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

    async def extend(self, keys: Sequence[bytes], *, expires_ms: int, limit: int) -> None:
        fresh = [key for key in keys if key not in self._kept]
        if len(self._kept) + len(fresh) > limit:
            raise TooManyKeysError(f"this node advertises at most {limit} keys")
        for key in keys:
            former = self._kept.get(key, Advertisement(key, expires_ms))
            self._kept[key] = replace(former, expires_ms=expires_ms)

    async def remove(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._kept.pop(key, None)

    async def take_due(self, now_ms: int, limit: int, make_due: MakeDue | None) -> Due:
        for key, each in self._kept.items():
            if make_due == "all" or (make_due == "failed" and each.failures):
                self._kept[key] = replace(each, next_provide_ms=0)
        ends = sorted(self._kept.values(), key=lambda each: each.expires_ms)
        expired = [each.key for each in ends if each.expires_ms <= now_ms][:MAX_EXPIRED]
        await self.remove(expired)
        kept = sorted(self._kept.values(), key=lambda each: (each.next_provide_ms, each.key))
        due = [each for each in kept if each.next_provide_ms <= now_ms][:limit]
        times = [min(each.next_provide_ms, each.expires_ms) for each in kept]
        return Due(expired, due, min(times, default=None))

    async def reschedule(self, advertisements: Sequence[Advertisement]) -> None:
        for each in advertisements:
            kept = self._kept.get(each.key)
            if kept is not None:
                self._kept[each.key] = replace(
                    kept, next_provide_ms=each.next_provide_ms, failures=each.failures
                )


class MemoryMessageIdStore:
    """`MessageIdStore` that ends with the process."""

    def __init__(self) -> None:
        self._reserved: dict[int, Reserved] = {}
        self._floor = -1

    async def load(self) -> tuple[Sequence[Reserved], int]:
        return list(self._reserved.values()), self._floor

    async def save(self, save: Save) -> None:
        self._floor = save.floor
        self._reserved[save.reserved.epoch] = save.reserved
        for epoch in [each for each in self._reserved if each <= save.floor]:
            del self._reserved[epoch]


class MemoryMembers:
    """`MembershipStore` that ends with the process."""

    def __init__(self, genesis: tuple[bytes, ...] = (), *, is_open: bool = False) -> None:
        self._genesis = genesis
        self._is_open = is_open
        self._announced = Announced(())
        self._slashes: dict[bytes, SlashRecord] = {}

    async def load(self) -> Registry:
        return Registry(
            genesis=self._genesis,
            announced=tuple(sorted(self._announced, key=lambda each: each.peer_id)),
            slashed=frozenset(self._slashes),
            is_open=self._is_open,
            records=tuple(self._slashes.values()),
        )

    async def watch(self) -> AsyncIterator[Registry]:
        nobody: tuple[Registry, ...] = ()
        for change in nobody:
            yield change

    async def register(self, commitment: bytes, _limit: int) -> None:
        if commitment not in self._genesis:
            raise RegistrationClosedError("members of this network are those of its genesis list")

    async def save_announcement(
        self,
        announcement: Announcement,
        displaced: bytes | None = None,
        forgotten: frozenset[bytes] = frozenset(),
    ) -> None:
        kept = [each for each in self._announced if each.peer_id != displaced]
        self._announced = Announced([*kept, announcement])
        self._slashes = {key: each for key, each in self._slashes.items() if key not in forgotten}

    async def save_slash(self, record: SlashRecord, commitment: bytes) -> None:
        self._slashes.setdefault(commitment, record)


class MemoryOfferStore:
    """`OfferStore` that ends with the process."""

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.seq = 0

    async def load_offers(self) -> tuple[list[Offer], int]:
        return list(self.offers), self.seq

    async def save_offers(self, offers: Sequence[Offer], seq: int) -> None:
        self.offers, self.seq = sorted(offers, key=lambda each: each.service), seq
