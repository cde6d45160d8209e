"""What every implementation of the stores does. Subclass with a fixture `store`."""

import pytest

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord
from logos_mixnet.core.advertisements import Advertisement, AdvertisementStore, Due
from logos_mixnet.core.errors import TooManyKeysError
from logos_mixnet.core.ports import PeerStore

ONE = PeerRecord("a", ("/ip4/1.1.1.1/tcp/1", "/ip4/1.1.1.1/tcp/2"), wanted=True, last_seen_ms=2**41)
TWO = PeerRecord("b", (), wanted=False, last_seen_ms=0)


class PeerStoreContract:
    async def test_peers_are_kept_changed_and_removed(self, store: PeerStore) -> None:
        assert await store.load_peers() == []
        await store.save_peers(Changes((TWO, ONE), ()))
        assert await store.load_peers() == [ONE, TWO]

        changed = PeerRecord("b", ("/ip4/2.2.2.2/tcp/2",), wanted=True, last_seen_ms=5)
        await store.save_peers(Changes((changed,), ("a", "never-there")))

        assert await store.load_peers() == [changed]

    async def test_thousands_of_peers_are_written_at_once(self, store: PeerStore) -> None:
        records = tuple(
            PeerRecord(f"p{n:05}", ("/x",), wanted=False, last_seen_ms=n) for n in range(3000)
        )

        await store.save_peers(Changes(records, ()))
        await store.save_peers(Changes((), tuple(record.peer_id for record in records[1:])))

        assert await store.load_peers() == [records[0]]

    async def test_bans_are_kept_replaced_and_removed(self, store: PeerStore) -> None:
        await store.save_ban(Ban("a", None, "spam"))
        await store.save_ban(Ban("b", 2**41, ""))
        await store.save_ban(Ban("a", 7, "again"))

        assert await store.load_bans() == [Ban("a", 7, "again"), Ban("b", 2**41, "")]
        await store.remove_ban("a")
        await store.remove_ban("a")
        assert await store.load_bans() == [Ban("b", 2**41, "")]


async def due(store: AdvertisementStore, now_ms: int, limit: int = 10) -> list[Advertisement]:
    return (await store.take_due(now_ms, limit, None)).advertisements


class AdvertisementStoreContract:
    async def test_new_keys_are_due_at_once(self, store: AdvertisementStore) -> None:
        assert await store.take_due(0, 10, "all") == Due([], [], None)

        await store.extend([b"a", b"b"], expires_ms=100, limit=10)

        both = [Advertisement(b"a", 100), Advertisement(b"b", 100)]
        assert await store.take_due(0, 10, None) == Due([], both, 0)
        assert await due(store, 0, 1) == both[:1]
        assert await due(store, 0, 0) == []

    async def test_a_key_that_is_there_is_extended_and_not_announced_anew(
        self, store: AdvertisementStore
    ) -> None:
        await store.extend([b"a"], expires_ms=100, limit=10)
        await store.reschedule([Advertisement(b"a", 100, next_provide_ms=50)])

        await store.extend([b"a", b"b"], expires_ms=200, limit=2)

        assert await due(store, 199) == [Advertisement(b"b", 200), Advertisement(b"a", 200, 50)]
        assert (await store.take_due(200, 10, None)).expired != []

    async def test_keys_over_the_limit_change_nothing(self, store: AdvertisementStore) -> None:
        await store.extend([b"a"], expires_ms=100, limit=2)

        with pytest.raises(TooManyKeysError):
            await store.extend([b"a", b"b", b"c"], expires_ms=200, limit=2)

        assert await due(store, 0) == [Advertisement(b"a", 100)]

    async def test_keys_end_in_order_and_are_gone(self, store: AdvertisementStore) -> None:
        many = [n.to_bytes(2, "big") for n in range(70)]
        await store.extend(many, expires_ms=300, limit=100)
        await store.extend([b"soon"], expires_ms=100, limit=100)

        first = await store.take_due(300, 10, None)
        second = await store.take_due(300, 10, None)

        assert first.expired[0] == b"soon"
        assert (len(first.expired), len(second.expired)) == (64, 7)
        assert second.advertisements == []
        assert second.next_ms is None

    async def test_a_removed_key_does_not_come_back(self, store: AdvertisementStore) -> None:
        await store.extend([b"a"], expires_ms=100, limit=10)
        [before] = await due(store, 0)
        await store.remove([b"a", b"never-there"])

        await store.reschedule([before])

        assert await due(store, 0) == []

    async def test_failed_keys_or_all_are_made_due(self, store: AdvertisementStore) -> None:
        await store.extend([b"bad", b"good"], expires_ms=10_000, limit=10)
        await store.reschedule(
            [Advertisement(b"bad", 0, 500, failures=2), Advertisement(b"good", 0, 600)]
        )
        assert await store.take_due(0, 10, None) == Due([], [], 500)

        failed = await store.take_due(0, 10, "failed")
        every = await store.take_due(0, 10, "all")

        assert [each.key for each in failed.advertisements] == [b"bad"]
        assert [each.key for each in every.advertisements] == [b"bad", b"good"]

    async def test_a_call_of_a_thousand_keys(self, store: AdvertisementStore) -> None:
        keys = [n.to_bytes(128, "big") for n in range(1000)]

        await store.extend(keys, expires_ms=100, limit=1000)
        await store.extend(keys, expires_ms=200, limit=1000)
        assert len(await due(store, 0, 2000)) == 1000
        await store.remove(keys)

        assert await due(store, 0) == []
