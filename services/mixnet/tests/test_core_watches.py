"""Services that are watched, with look-ups that end as a test says."""

from collections.abc import Sequence
from functools import cache

import pytest
from capability_draws import SERVICE, advertisement, signer
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.profiles import LOCAL, PUBLIC, Profile
from logos_mixnet.core.capability.records import (
    PeerRecord,
    ServiceInfo,
    SignedRecord,
    sign_record,
)
from logos_mixnet.core.capability.watches import (
    AT_ONCE,
    MAX_WATCHED,
    Changed,
    LookUp,
    Watches,
)
from logos_mixnet.core.errors import TooManyWatchesError
from logos_simulation.chance import Chance

MIX = service_id_of(SERVICE)
ADS = [advertisement(at) for at in range(45)]
EXPIRY_MS = LOCAL.expiry_s * 1000


class Watching:
    """A machine, its time, and what watchers were told."""

    def __init__(self, profile: Profile = LOCAL) -> None:
        self.machine = Watches(profile, Chance(1))
        self.now_ms = 0
        self.running: list[ServiceId] = []
        self.begun: list[int] = []
        self.told: list[tuple[SignedRecord, ...]] = []

    def do(self, effects: Sequence[LookUp | Changed]) -> None:
        for effect in effects:
            match effect:
                case LookUp(service_id):
                    self.running.append(service_id)
                    self.begun.append(self.now_ms)
                case Changed(_, records):
                    self.told.append(records)

    def watch(self, service_id: ServiceId = MIX) -> None:
        self.do(self.machine.watch(service_id, self.now_ms))

    def unwatch(self, service_id: ServiceId = MIX) -> None:
        self.do(self.machine.unwatch(service_id, self.now_ms))

    def find(self, *records: SignedRecord) -> None:
        self.do(self.machine.found(self.running.pop(0), records, self.now_ms))

    def look_again(self) -> None:
        """Until a look-up runs."""
        while not self.running:
            self.sleep()

    def sleep(self) -> None:
        """Until the machine is due."""
        wake_ms = self.machine.next_wake_ms()
        assert wake_ms is not None
        self.now_ms = max(self.now_ms, wake_ms)
        self.do(self.machine.tick(self.now_ms))

    def run(self, for_ms: int, *finds: SignedRecord) -> None:
        """Lets look-ups find the same for a time."""
        until_ms = self.now_ms + for_ms
        while True:
            while self.running:
                self.find(*finds)
            wake_ms = self.machine.next_wake_ms()
            if wake_ms is None or wake_ms > until_ms:
                self.now_ms = until_ms
                return
            self.sleep()


def at_ip(number: int, ip: str, seq: int = 1) -> SignedRecord:
    address = encode_address(Address(f"/ip4/{ip}/tcp/4000"))
    return sign_record(signer(number), seq, [address], [ServiceInfo(SERVICE)])


def test_look_ups_begin_at_once_and_slow_down_to_six_in_the_expiry() -> None:
    watching = Watching()
    watching.watch()

    watching.run(300_000, ADS[0])

    apart = [b - a for a, b in zip(watching.begun, watching.begun[1:], strict=False)]
    assert watching.begun[0] == 0
    for waited, plain in zip(apart, (1, 2, 4, 8, 10, 10), strict=False):
        assert 0.75 * 1000 * plain <= waited <= 1.25 * 1000 * plain
    assert all(7_500 <= waited <= 12_500 for waited in apart[4:])


def test_watchers_are_told_of_news_only() -> None:
    watching = Watching()
    watching.watch()
    watching.find(ADS[0])
    watching.sleep()
    watching.find(ADS[0])
    watching.sleep()
    watching.find(ADS[0], ADS[1])

    assert [len(records) for records in watching.told] == [1, 2]
    assert watching.machine.records_of(MIX) == watching.told[-1]
    ids = [each.record.peer_id for each in watching.told[-1]]
    assert ids == sorted(ids)


def test_of_a_peer_the_newest_record_counts() -> None:
    watching = Watching()
    watching.watch()
    older, newer = advertisement(1, seq=1), advertisement(1, seq=2)
    watching.find(newer)
    watching.sleep()
    watching.find(older)
    assert watching.told == [(newer,)]
    watching.sleep()

    watching.find(advertisement(1, seq=3))

    assert [records[0].record.seq for records in watching.told] == [2, 3]


def test_an_older_record_neither_keeps_a_peer_nor_brings_it_back() -> None:
    """A hostile registrar may give one out for ever: records have no end of their own."""
    watching = Watching()
    watching.watch()
    watching.find(advertisement(1, seq=2))

    watching.run(5 * EXPIRY_MS, advertisement(1, seq=1))

    assert watching.told == [(advertisement(1, seq=2),), ()]
    watching.run(EXPIRY_MS, advertisement(1, seq=2))
    assert watching.told[2:] == [(advertisement(1, seq=2),)]


def test_who_is_seen_no_longer_is_forgotten_after_an_expiry() -> None:
    watching = Watching()
    watching.watch()
    watching.find(ADS[0], ADS[1])

    watching.run(EXPIRY_MS - 1, ADS[0])
    assert len(watching.machine.records_of(MIX)) == 2
    watching.run(1, ADS[0])

    assert watching.told[-1] == (ADS[0],)


@pytest.mark.parametrize(("count", "expiries"), [(50, 1), (51, 2), (101, 3), (151, 4), (230, 4)])
def test_where_more_are_known_they_stay_longer(count: int, expiries: int) -> None:
    """A look-up returns 30: who is not among them is not gone."""
    watching, records = Watching(), [many(number) for number in range(count)]
    watching.watch()
    watching.find(*records)

    watching.run(expiries * EXPIRY_MS - 1, *records[1:])
    assert len(watching.machine.records_of(MIX)) == count
    watching.run(1, *records[1:])

    assert len(watching.machine.records_of(MIX)) == count - 1


@cache
def many(number: int) -> SignedRecord:
    """A record of a made-up peer: watches do not verify what look-ups have."""
    return SignedRecord(PeerRecord(PeerId(b"peer%d" % number), 1), b"signed%d" % number)


def test_a_pool_takes_few_of_one_public_network_in_all() -> None:
    """Each look-up takes three; one after the other they would become all of them."""
    watching = Watching(PUBLIC)
    watching.watch()
    for number in range(20):
        watching.look_again()
        watching.find(at_ip(number, f"66.77.88.{number + 1}"))
        if not number:
            assert len(watching.machine.records_of(MIX)) == 1

        assert len(watching.machine.records_of(MIX)) <= 3
    watching.run(PUBLIC.expiry_s * 1000 + 1, at_ip(30, "66.77.88.99"))
    assert [each.record.peer_id for each in watching.told[-1]] == [signer(30).public_key.peer_id]


def test_a_peer_that_moves_into_a_crowd_is_left_out() -> None:
    watching = Watching(PUBLIC)
    watching.watch()
    crowd = [at_ip(number, f"66.77.88.{number + 1}") for number in range(3)]
    watching.find(*crowd, at_ip(9, "9.9.9.9"))
    watching.sleep()

    watching.find(*crowd, at_ip(9, "66.77.88.9", seq=2))

    assert set(watching.told[-1]) == set(crowd)


def test_who_was_alone_looks_again_soon() -> None:
    watching = Watching()
    watching.watch()
    watching.run(60_000)
    before = watching.now_ms

    watching.do(watching.machine.connected(watching.now_ms))
    watching.sleep()

    assert watching.running
    assert watching.now_ms <= before + 1000


def test_one_look_up_serves_all_watchers_and_ends_with_the_last() -> None:
    watching = Watching()
    watching.watch()
    watching.watch()
    assert len(watching.running) == 1
    watching.find(ADS[0])
    watching.unwatch()
    assert watching.machine.records_of(MIX)

    watching.unwatch()

    assert watching.machine.records_of(MIX) == ()
    assert watching.machine.next_wake_ms() is None


def test_a_look_up_of_a_former_watch_is_left_out() -> None:
    watching = Watching()
    watching.watch()
    watching.unwatch()
    watching.watch()
    assert len(watching.running) == 1

    watching.find(ADS[0])

    assert watching.told == []
    assert len(watching.running) == 1
    watching.find(ADS[1])
    assert watching.told == [(ADS[1],)]


def test_a_refused_look_up_is_begun_again() -> None:
    watching = Watching()
    watching.watch()

    watching.do(watching.machine.not_looked_up(watching.running.pop(), watching.now_ms))
    watching.sleep()

    assert len(watching.running) == 1


def test_few_look_ups_run_at_a_time() -> None:
    watching = Watching()
    services = [service_id_of(f"/{number}") for number in range(MAX_WATCHED)]
    for service_id in services:
        watching.machine.check_room(service_id)
        watching.watch(service_id)
        assert len(watching.running) <= AT_ONCE

    seen = set()
    while len(seen) < MAX_WATCHED:
        seen.add(watching.running[0])
        watching.find()
        assert len(watching.running) <= AT_ONCE
    assert seen == set(services)
    watching.machine.check_room(services[0])
    with pytest.raises(TooManyWatchesError):
        watching.machine.check_room(MIX)


@given(
    st.lists(
        st.one_of(
            st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=6),
            st.sampled_from(["watch", "unwatch", "sleep", "connected"]),
        ),
        max_size=40,
    )
)
def test_whatever_look_ups_find_watchers_know_it(history: list[object]) -> None:
    watching, watchers = Watching(), 0
    for step in history:
        match step:
            case "watch":
                watching.watch()
                watchers += 1
            case "unwatch" if watchers:
                watching.unwatch()
                watchers -= 1
                if not watchers:
                    watching.told.append(())
            case "sleep" if watching.machine.next_wake_ms() is not None:
                watching.sleep()
            case "connected":
                watching.do(watching.machine.connected(watching.now_ms))
            case list() if watching.running:
                watching.find(*(advertisement(number, seq=seq) for number, seq in step))
        known = watching.machine.records_of(MIX)
        assert known == (watching.told[-1] if watching.told else ())
        assert len({each.record.peer_id for each in known}) == len(known)
        if watchers:
            assert watching.running or watching.machine.next_wake_ms() is not None
