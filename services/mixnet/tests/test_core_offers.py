"""What this node offers, and the records that say so."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from capability_draws import ADDRESS, signer
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.errors import RecordTooLargeError
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.offers import (
    MAX_SERVICES,
    Announce,
    Offer,
    Offers,
    Revoke,
    Save,
)
from logos_mixnet.core.capability.records import PeerRecord, open_advertisement
from logos_mixnet.core.errors import (
    InvalidServiceError,
    ServiceTakenError,
    StoreError,
    TooManyServicesError,
)

NOW = 1_800_000_000_000
ONE = Ticket(1)
OTHER_ADDRESS = bytes.fromhex("040a00000206fde8")


class Node:
    """Offers with a disk that a test may fill."""

    def __init__(self, now_ms: int = NOW, *, seq: int = 0, kept: Sequence[Offer] = ()) -> None:
        numbers = RecordNumbers()
        numbers.started(seq, now_ms)
        self.machine = Offers(signer(1), numbers)
        self.disk = (list(kept), numbers.reserved)
        self.is_full = False
        self.now_ms = now_ms
        self.announced: dict[bytes, PeerRecord] = {}
        self.seqs: list[int] = []
        self.saves = 0
        self.answers: list[object] = []
        self.do(self.machine.loaded(kept, self.now_ms))

    def do(self, effects: Sequence[object]) -> None:
        for effect in effects:
            match effect:
                case Save():
                    self.saves += 1
                    if self.is_full:
                        failed = StoreError("disk full")
                        self.do(self.machine.not_stored(effect, failed, self.now_ms))
                    else:
                        self.disk = effect.kept, effect.reserved
                        self.do(self.machine.stored(effect, self.now_ms))
                case Announce(service_id, record):
                    signed = open_advertisement(record.encoded, service_id)
                    self.announced[service_id] = signed.record
                    self.seqs.append(signed.record.seq)
                case Revoke(service_id):
                    del self.announced[service_id]
                case Answer() | Refuse():
                    self.answers.append(effect)

    def reached_at(self, *addresses: bytes) -> None:
        self.do(self.machine.reached_at(addresses, self.now_ms))

    def offer(self, service: str, data: bytes | None = None, ttl_ms: int | None = None) -> None:
        until_ms = None if ttl_ms is None else self.now_ms + ttl_ms
        self.do(self.machine.offer(ONE, Offer(service, data, until_ms), self.now_ms))

    def withdraw(self, service: str, *, is_callers: bool = False) -> None:
        self.do(self.machine.withdraw(ONE, service, self.now_ms, is_callers=is_callers))

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.do(self.machine.tick(self.now_ms))

    def said(self, service: str) -> PeerRecord:
        return self.announced[service_id_of(service)]

    def restarted(self, back_ms: int = 0) -> "Node":
        """As it is after a restart, during which the clock was set back."""
        kept, seq = self.disk
        again = Node(self.now_ms - back_ms, seq=seq, kept=kept)
        again.reached_at(ADDRESS)
        return again


@pytest.fixture
def node() -> Node:
    node = Node()
    node.reached_at(ADDRESS)
    return node


def test_each_service_has_a_record_of_its_own(node: Node) -> None:
    node.offer("/a", b"x")
    before = node.said("/a")
    node.offer("/b")

    assert node.said("/a") is before
    assert [each.id for each in node.said("/b").services] == ["/b"]
    assert before.addresses == (ADDRESS,)
    assert before.services[0].data == b"x"
    assert node.said("/b").services[0].data is None


def test_nothing_is_said_before_an_address_is_known() -> None:
    node = Node()
    node.offer("/a")
    assert not node.announced
    assert node.answers == [Answer(ONE)]

    node.reached_at()
    assert not node.announced
    node.reached_at(ADDRESS)

    assert node.said("/a").addresses == (ADDRESS,)


def test_other_data_and_other_addresses_make_newer_records(node: Node) -> None:
    node.offer("/a", b"1")
    node.offer("/b", b"1")

    node.offer("/a", b"2")
    assert node.said("/a").services[0].data == b"2"
    assert node.said("/a").seq > node.said("/b").seq
    node.reached_at(OTHER_ADDRESS, ADDRESS)

    for service in ("/a", "/b"):
        assert node.said(service).addresses == (OTHER_ADDRESS, ADDRESS)
    assert min(node.seqs[-2:]) > max(node.seqs[:-2])


def test_what_changes_nothing_makes_no_record(node: Node) -> None:
    """Else what waits with registrars would begin anew."""
    node.offer("/a", b"1", ttl_ms=1000)
    node.offer("/a", b"1", ttl_ms=9000)
    node.reached_at(ADDRESS)
    assert len(node.seqs) == 1
    assert node.disk[0] == [Offer("/a", b"1", NOW + 9000)]
    saves = node.saves

    node.offer("/a", b"1", ttl_ms=9000)

    assert (len(node.seqs), node.saves) == (1, saves)
    assert node.answers == [Answer(ONE)] * 3


def test_offers_of_callers_end_and_outlive_a_restart(node: Node) -> None:
    node.offer("/caller", b"1", ttl_ms=1000)
    node.offer("/own")

    again = node.restarted()
    assert again.said("/caller").services[0].data == b"1"
    assert [each.service for each in again.machine.all()] == ["/caller"]
    assert again.machine.next_wake_ms() == NOW + 1000
    again.wait(1000)

    assert not again.announced
    assert again.disk[0] == []
    assert again.machine.next_wake_ms() is None


def test_numbers_grow_over_a_restart_whatever_the_clock_says(node: Node) -> None:
    """Also if it was set back by an hour meanwhile."""
    node.offer("/caller", b"1", ttl_ms=10_000_000)

    again = node.restarted(back_ms=3_600_000)

    assert again.said("/caller").seq > node.said("/caller").seq


def test_a_withdrawn_service_is_offered_no_longer(node: Node) -> None:
    node.offer("/a", ttl_ms=1000)
    for _ in range(2):
        node.withdraw("/a", is_callers=True)

    assert not node.announced
    assert node.disk[0] == []
    assert node.answers == [Answer(ONE)] * 3


def test_callers_do_not_touch_what_the_module_offers(node: Node) -> None:
    node.offer("/own", b"1")

    with pytest.raises(ServiceTakenError):
        node.offer("/own", b"2", ttl_ms=1000)
    with pytest.raises(ServiceTakenError):
        node.withdraw("/own", is_callers=True)

    assert node.said("/own").services[0].data == b"1"
    node.withdraw("/own")
    assert not node.announced


def test_the_module_may_take_over_what_a_caller_offers(node: Node) -> None:
    node.offer("/a", b"1", ttl_ms=1000)

    node.offer("/a", b"2")
    node.wait(2000)

    assert node.said("/a").services[0].data == b"2"
    assert node.disk[0] == []


@pytest.mark.parametrize(
    ("service", "data", "error"),
    [
        ("", None, InvalidServiceError),
        ("/", None, InvalidServiceError),
        ("mix", None, InvalidServiceError),
        ("/" + "x" * 140, None, InvalidServiceError),
        ("/a", bytes(34), RecordTooLargeError),
    ],
)
def test_what_breaks_a_limit_changes_nothing(
    service: str, data: bytes | None, error: type[LogosError]
) -> None:
    for addresses in ((), (ADDRESS,)):
        node = Node()
        node.reached_at(*addresses)
        with pytest.raises(error):
            node.offer(service, data, ttl_ms=1000)
        assert (node.saves, node.machine.all()) == (0, [])


def test_services_are_bounded(node: Node) -> None:
    for number in range(MAX_SERVICES):
        node.offer(f"/{number}")

    with pytest.raises(TooManyServicesError):
        node.offer("/more")
    node.offer("/0", b"new")
    node.withdraw("/1")
    node.offer("/more")


def test_a_full_disk_refuses_callers_and_nobody_else(node: Node) -> None:
    node.offer("/kept", b"1", ttl_ms=5000)
    node.offer("/own", b"1")
    node.is_full = True

    node.offer("/new", ttl_ms=1000)
    node.withdraw("/kept", is_callers=True)
    assert [type(each) for each in node.answers[2:]] == [Refuse, Refuse]
    node.offer("/own", b"2")
    node.reached_at(OTHER_ADDRESS)

    assert {each.service for each in node.machine.all()} == {"/kept", "/own"}
    assert node.said("/own").services[0].data == b"2"
    assert node.said("/kept").addresses == (OTHER_ADDRESS,)
    node.wait(5000)
    assert [each.service for each in node.machine.all()] == ["/own"]


Step = tuple[str, int, int]
steps = st.tuples(
    st.sampled_from(["offer", "lend", "withdraw", "move", "wait", "restart", "back", "fill"]),
    st.integers(0, 3),
    st.integers(0, 5),
)


def perform(node: Node, what: str, service: str, value: int) -> Node:
    match what:
        case "offer":
            node.offer(service, bytes([value]))
        case "lend":
            node.offer(service, bytes([value]), ttl_ms=1000 * (value + 1))
        case "withdraw":
            node.withdraw(service, is_callers=bool(value % 2))
        case "move":
            node.reached_at(ADDRESS[:-1] + bytes([value]))
        case "wait":
            node.wait(1000 * value)
        case "fill":
            node.is_full = not node.is_full
        case _ if not node.is_full:
            # A number that a full disk did not keep is outgrown by the clock alone.
            is_kept = node.disk[1] >= max(node.seqs, default=0)
            return node.restarted(back_ms=3_600_000 * (what == "back" and is_kept))
    return node


@given(st.lists(steps, max_size=40))
def test_random_histories_keep_the_rules(history: list[Step]) -> None:
    """Numbers of each service grow, over restarts and clocks that are set back, too."""
    node, latest = Node(), dict[bytes, int]()
    node.reached_at(ADDRESS)
    for what, which, value in history:
        with suppress(ServiceTakenError):
            node = perform(node, what, f"/{which}", value)
        offered = {service_id_of(each.service): each for each in node.machine.all()}
        assert node.announced.keys() == offered.keys()
        for service_id, record in node.announced.items():
            assert record.services[0].data == offered[service_id].data
            assert record.seq >= latest.get(service_id, 0)
            latest[service_id] = record.seq
