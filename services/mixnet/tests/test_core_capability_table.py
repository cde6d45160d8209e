from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.choice import some_of
from logos_mixnet.core.capability.distance import BUCKETS, bucket_of, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.table import BUCKET_SIZE, MAX_FAILURES, ServiceTable
from logos_mixnet.core.capability.wire import Peer
from logos_simulation.chance import Chance

MIX = service_id_of("/mix/1.0.0")
OWN = PeerId(b"own")


def peer(name: int, ip: str = "10.0.0.1") -> Peer:
    return Peer(PeerId(b"%d" % name), (encode_address(Address(f"/ip4/{ip}/tcp/4000")),))


def in_bucket(index: int, count: int, ip: str = "10.0.0.1") -> list[Peer]:
    found = (peer(name, ip) for name in range(100_000))
    near = (each for each in found if bucket_of(MIX, each.peer_id) == index)
    return [next(near) for _ in range(count)]


@pytest.fixture
def table() -> ServiceTable:
    return ServiceTable(MIX, OWN)


def test_peers_are_in_their_buckets_once(table: ServiceTable) -> None:
    peers = [peer(name) for name in range(30)]

    table.add(peers)
    table.add(peers)

    for index in range(BUCKETS):
        expected = [each for each in peers if bucket_of(MIX, each.peer_id) == index]
        assert list(table.bucket(index)) == expected[:BUCKET_SIZE]
    assert peers[0].peer_id in table


def test_own_and_unreachable_peers_are_left_out(table: ServiceTable) -> None:
    quic = bytes.fromhex("040102030491020fa1cd03")

    table.add([Peer(OWN, peer(1).addresses), Peer(PeerId(b"a")), Peer(PeerId(b"b"), (quic,))])

    assert len(table) == 0


def test_a_known_peer_keeps_its_addresses(table: ServiceTable) -> None:
    table.add([peer(1)])

    table.add([peer(1, "10.9.9.9")])

    assert list(table.bucket(bucket_of(MIX, b"1"))) == [peer(1)]


def test_a_full_bucket_takes_a_new_peer_for_one_that_failed(table: ServiceTable) -> None:
    *peers, first, second = in_bucket(0, BUCKET_SIZE + 2)
    table.add([*peers, first])
    assert first.peer_id not in table

    table.failed(peers[3].peer_id)
    table.failed(peers[5].peer_id)
    table.answered(peers[3].peer_id)
    table.add([first, second])

    assert first.peer_id in table
    assert second.peer_id not in table
    assert peers[5].peer_id not in table


def test_a_peer_that_fails_three_times_in_a_row_leaves(table: ServiceTable) -> None:
    table.add([peer(1)])
    for _ in range(MAX_FAILURES - 1):
        table.failed(PeerId(b"1"))
    table.answered(PeerId(b"1"))
    for _ in range(MAX_FAILURES - 1):
        table.failed(PeerId(b"1"))
    assert len(table) == 1

    table.failed(PeerId(b"1"))
    table.failed(PeerId(b"1"))

    assert len(table) == 0


@pytest.mark.parametrize(
    ("ips", "taken"),
    [
        (["8.8.8.8"] * 5, 2),
        ([f"8.8.8.{at}" for at in range(5)], 3),
        ([f"8.8.{at}.8" for at in range(5)], 5),
        (["10.0.0.1"] * 5, 5),
    ],
    ids=["ip", "network", "networks", "private"],
)
def test_a_bucket_takes_few_of_one_public_network(
    table: ServiceTable, ips: list[str], taken: int
) -> None:
    names = [int(each.peer_id) for each in in_bucket(0, 5)]

    table.add(peer(name, ip) for name, ip in zip(names, ips, strict=True))

    assert len(list(table.bucket(0))) == taken


def test_a_table_takes_few_of_one_public_network(table: ServiceTable) -> None:
    table.add(peer(name, "8.8.8.8") for name in range(200))
    assert len(table) == 4

    table.add(peer(name, f"8.8.8.{name % 200 + 10}") for name in range(200, 400))
    assert len(table) == 10


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=60))
def test_counts_follow_the_peers(history: list[tuple[int, int]]) -> None:
    table = ServiceTable(MIX, OWN)
    ips = [str(IPv4Address("8.8.8.0") + at % 7) for at in range(61)]
    for step, name in history:
        peer_id = PeerId(b"%d" % name)
        match step:
            case 0:
                table.answered(peer_id)
            case 1:
                table.failed(peer_id)
            case _:
                table.add([peer(name, ips[name])])

    held = [each for index in range(BUCKETS) for each in table.bucket(index)]
    assert len(table) == len(held)
    assert max(Counter(each.addresses for each in held).values(), default=0) <= 4
    for index in range(BUCKETS):
        assert len(list(table.bucket(index))) <= 3


@given(st.lists(st.integers(), max_size=9, unique=True), st.integers(0, 12), st.integers(0, 99))
def test_choices_are_of_the_options_and_distinct(options: list[int], count: int, seed: int) -> None:
    chosen = some_of(options, count, Chance(seed))

    assert len(chosen) == min(count, len(options))
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(options)


def test_every_option_is_as_likely() -> None:
    rng: Rng = Chance(1)
    options: Sequence[int] = range(5)

    counts = Counter(each for _ in range(5000) for each in some_of(options, 2, rng))

    chi_square = sum((counts[each] - 2000) ** 2 / 2000 for each in options)
    assert chi_square < 18.5  # p > 0.001 with 4 degrees of freedom
