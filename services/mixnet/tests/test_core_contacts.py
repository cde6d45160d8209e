from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.capability.contacts import MAX_CONTACTS, Contacts
from logos_mixnet.core.capability.distance import (
    BUCKETS,
    ID_BYTES,
    ServiceId,
    bucket_of,
    bucket_ranges,
    service_id_of,
)
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.wire import Peer
from logos_simulation.chance import Chance

MIX = service_id_of("/mix/1.0.0")
SOMEWHERE = (bytes.fromhex("040a00000106fde8"),)
STRANGER = PeerId(b"stranger")

# Few bits differ, so that keys share prefixes of every length with the service.
KEY_BITS = 8 * ID_BYTES
keys_near: st.SearchStrategy[int] = st.builds(
    lambda bit, low: (1 << bit) - 1 ^ low,
    st.integers(KEY_BITS - BUCKETS - 3, KEY_BITS),
    st.integers(0, 3),
)


def peer(name: int) -> Peer:
    return Peer(PeerId(b"%d" % name), SOMEWHERE)


@given(st.lists(keys_near, unique=True, max_size=40), keys_near)
def test_ranges_of_ordered_keys_are_the_buckets(keys: list[int], centre: int) -> None:
    keys.sort()

    ranges = bucket_ranges(keys, ServiceId(centre.to_bytes(ID_BYTES, "big")))

    assert len(ranges) == BUCKETS
    for bucket, (begin, end) in enumerate(ranges):
        alike = [KEY_BITS - (centre ^ key).bit_length() for key in keys]
        expected = [
            key for key, bits in zip(keys, alike, strict=True) if min(bits, BUCKETS - 1) == bucket
        ]
        assert keys[begin:end] == expected


def buckets_of(peers: Sequence[Peer]) -> list[int]:
    return [bucket_of(MIX, each.peer_id) for each in peers]


steps = st.lists(st.tuples(st.sampled_from(["met", "nowhere", "lost"]), st.integers(0, 12)))


@given(steps, st.integers(0, 13), st.integers(0, 5))
def test_one_of_each_bucket_is_named_but_never_who_asks(
    taken: list[tuple[str, int]], asking: int, seed: int
) -> None:
    known, expected = Contacts(), dict[PeerId, Peer]()
    for what, name in taken:
        expected.pop(peer(name).peer_id, None)
        if what == "lost":
            known.lost(peer(name).peer_id)
        else:
            met = peer(name) if what == "met" else Peer(peer(name).peer_id)
            known.met(met)
            expected[met.peer_id] = met
    others = [each for each in expected.values() if each.addresses and each != peer(asking)]

    named = known.one_of_each_bucket(MIX, peer(asking).peer_id, Chance(seed))

    assert list(known) == list(expected.values())
    assert set(named) <= set(others)
    assert buckets_of(named) == sorted(set(buckets_of(others)))


def test_each_of_a_bucket_is_named_as_often_as_another() -> None:
    near = [each for each in map(peer, range(40)) if bucket_of(MIX, each.peer_id) == 0][:8]
    for asking in (STRANGER, near[0].peer_id, near[3].peer_id, near[7].peer_id):
        known, chance, counts = Contacts(), Chance(1), Counter[Peer]()
        for each in near:
            known.met(each)

        for _ in range(8_000):
            counts.update(known.one_of_each_bucket(MIX, asking, chance))

        others = [each for each in near if each.peer_id != asking]
        assert counts.keys() == set(others)
        mean = 8_000 / len(others)
        assert all(abs(counts[each] - mean) < 5 * mean**0.5 for each in others)


def test_the_last_that_were_met_are_kept() -> None:
    known = Contacts()
    for name in range(MAX_CONTACTS + 3):
        known.met(peer(name))
        if name == 10:
            known.met(peer(0))  # again: now others are older

    assert len(known) == MAX_CONTACTS
    assert peer(0).peer_id in known
    assert not any(peer(name).peer_id in known for name in (1, 2, 3))
    named = {
        each
        for seed in range(2000)
        for each in known.one_of_each_bucket(MIX, STRANGER, Chance(seed))
    }
    assert named <= set(known)
