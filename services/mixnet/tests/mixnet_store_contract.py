"""What every implementation of the stores does. Subclass with a fixture `store`."""

from dataclasses import replace

import pytest

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord, SignedCopy
from logos_mixnet.core.advertisements import Advertisement, AdvertisementStore, Due
from logos_mixnet.core.capability.offers import Offer, OfferStore
from logos_mixnet.core.confidence import Confidence, Learned
from logos_mixnet.core.errors import TooManyKeysError
from logos_mixnet.core.ports import PeerStore
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import RegistrationClosedError
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.core.rln.nullifiers import Point
from logos_mixnet.core.rln.ports import MembershipStore, MessageIdStore
from logos_mixnet.core.rln.slashing import Evidence, SlashRecord

ONE = PeerRecord("a", ("/ip4/1.1.1.1/tcp/1", "/ip4/1.1.1.1/tcp/2"), wanted=True, last_seen_ms=2**41)
TWO = PeerRecord("b", (), wanted=False, last_seen_ms=0)
KNOWN = PeerRecord(
    "c",
    ("/ip4/1.1.1.1/tcp/3", "/ip4/1.1.1.1/tcp/4"),
    wanted=False,
    last_seen_ms=0,
    learned=(Learned(Confidence.HIGH, 2**41, 2**41 + 1), Learned(Confidence.LOW, 7, 0)),
    signed=SignedCopy(b"\0" * 1024, 2**64 - 1, 2**41),
)


class PeerStoreContract:
    async def test_peers_are_kept_changed_and_removed(self, store: PeerStore) -> None:
        assert await store.load_peers() == []
        await store.save_peers(Changes((TWO, ONE), ()))
        assert await store.load_peers() == [ONE, TWO]

        changed = PeerRecord("b", ("/ip4/2.2.2.2/tcp/2",), wanted=True, last_seen_ms=5)
        await store.save_peers(Changes((changed,), ("a", "never-there")))

        assert await store.load_peers() == [changed]

    async def test_what_is_known_of_addresses_and_signed_records_are_kept(
        self, store: PeerStore
    ) -> None:
        await store.save_peers(Changes((ONE, KNOWN), ()))
        assert await store.load_peers() == [ONE, KNOWN]

        plain = PeerRecord("c", KNOWN.addresses, wanted=False, last_seen_ms=1)
        await store.save_peers(Changes((plain,), ()))
        assert await store.load_peers() == [ONE, plain]
        await store.save_peers(Changes((KNOWN,), ("a",)))
        await store.save_peers(Changes((), ("c",)))
        assert await store.load_peers() == []
        await store.save_peers(Changes((plain,), ()))
        assert await store.load_peers() == [plain]

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


class MessageIdStoreContract:
    async def test_a_new_store_holds_nothing(self, ids: MessageIdStore) -> None:
        reserved, floor = await ids.load()

        assert (list(reserved), floor) == ([], -1)

    async def test_reservations_are_kept_replaced_and_removed_up_to_the_floor(
        self, ids: MessageIdStore
    ) -> None:
        for reserved in (Reserved(7, 3), Reserved(8, 3), Reserved(7, 6)):
            await ids.save(Save(reserved, -1))

        found, floor = await ids.load()
        assert (sorted(found, key=repr), floor) == ([Reserved(7, 6), Reserved(8, 3)], -1)

        await ids.save(Save(Reserved(2**40, 10), 7))
        found, floor = await ids.load()
        assert (sorted(found, key=repr), floor) == ([Reserved(2**40, 10), Reserved(8, 3)], 7)


def announcement(number: int) -> Announcement:
    """One that is whole, but for its signature."""
    peer_id = bytes.fromhex("002508021221") + bytes([2]) + number.to_bytes(32, "big")
    commitment = (number + 1).to_bytes(32, "little")
    return Announcement(peer_id, bytes(32), commitment, 10, bytes(8))


def slash(number: int) -> SlashRecord:
    """One that is whole, but for its evidence and its signature."""
    points = [Point(value.to_bytes(32, "little"), bytes(32)) for value in (number, number + 1)]
    evidence = Evidence(number, bytes(32), bytes(32), *points)
    return SlashRecord(announcement(number).peer_id, evidence, bytes(8))


class MembershipStoreContract:
    """`members`: one that is open; `listed`: one of a list with the commitment 5."""

    async def test_members_and_slashes_are_kept_once(self, members: MembershipStore) -> None:
        two, one = announcement(2), announcement(1)
        for each in (two, one, two):
            await members.save_announcement(each)
        for number in (3, 4):
            await members.save_slash(slash(number), one.commitment)

        registry = await members.load()

        assert registry.announced == (one, two)
        assert registry.slashed == {one.commitment}
        assert registry.records == (slash(3),)
        assert (registry.genesis, registry.is_open) == ((), True)
        assert [change async for change in members.watch()] == []

    async def test_of_a_peer_two_announcements_are_kept_at_most(
        self, members: MembershipStore
    ) -> None:
        one, other = announcement(1), announcement(2)
        values = [value.to_bytes(32, "little") for value in (50, 40, 60)]
        first, second, third = (replace(one, commitment=each) for each in values)
        for each in (first, other, second, first, second, third, first):
            await members.save_announcement(each)

        registry = await members.load()

        assert sorted(registry.announced, key=repr) == sorted((first, second, other), key=repr)

    async def test_a_displaced_peer_is_gone_and_slashes_that_are_forgotten(
        self, members: MembershipStore
    ) -> None:
        kept, gone = announcement(1), announcement(2)
        for each in (kept, gone, replace(gone, commitment=kept.commitment)):
            await members.save_announcement(each)
        await members.save_slash(slash(3), kept.commitment)
        await members.save_slash(slash(4), gone.commitment)

        new = announcement(0)
        await members.save_announcement(new, gone.peer_id, frozenset({gone.commitment}))

        registry = await members.load()
        assert sorted(registry.announced, key=repr) == sorted((new, kept), key=repr)
        assert registry.slashed == {kept.commitment}
        assert registry.records == (slash(3),)

    async def test_those_of_a_list_are_members_and_no_others(self, listed: MembershipStore) -> None:
        five = (5).to_bytes(32, "little")

        await listed.register(five, 10)
        with pytest.raises(RegistrationClosedError):
            await listed.register((6).to_bytes(32, "little"), 10)

        registry = await listed.load()
        assert (registry.genesis, registry.is_open) == ((five,), False)


class OfferStoreContract:
    async def test_offers_and_the_number_are_kept_in_place_of_the_former(
        self, store: OfferStore
    ) -> None:
        assert await store.load_offers() == ([], 0)
        one, two = Offer("/a", b"", 2**41), Offer("/b", None, 2**41 + 1)
        await store.save_offers([two, one], 2**41)
        assert await store.load_offers() == ([one, two], 2**41)

        changed = Offer("/a", b"x" * 33, 5)
        await store.save_offers([changed], 2**41 + 7)
        assert await store.load_offers() == ([changed], 2**41 + 7)
        await store.save_offers([], 2**41 + 8)

        assert await store.load_offers() == ([], 2**41 + 8)
