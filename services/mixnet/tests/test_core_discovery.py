"""Discovery's machine, with a store of a few lines that may fail."""

from collections import deque
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.advertisements import (
    MAX_EXPIRED,
    SMALL_NETWORK_REPUBLISH_MS,
    Advertisement,
    Due,
)
from logos_mixnet.core.discovery import (
    BATCH,
    CONCURRENT_PROVIDES,
    IDLE_MS,
    MAX_FOUND,
    STORE_RETRY_MS,
    Discovery,
    Extend,
    LookUp,
    Provide,
    Provider,
    Remove,
    Reschedule,
    StopProviding,
    Take,
)
from logos_mixnet.core.errors import StoreError

TICKET = Ticket(1)
HOUR_MS = 3_600_000


class World:
    """Performs effects as the driver does: in order, outcomes before other inputs."""

    def __init__(self, *, peers: int = 1) -> None:
        self.machine = Discovery(seeded(7))
        self.now_ms = 0
        self.kept: dict[bytes, Advertisement] = {}
        self.fails = False
        self.announcing: deque[bytes] = deque()
        self.announced: list[tuple[int, bytes]] = []
        self.stopped: list[bytes] = []
        self.answers: list[Answer | Refuse] = []
        self.reads = 0
        self.do(self.machine.peers_changed(peers, 0))

    def do(self, effects: list[Any]) -> None:
        outcomes: list[Any] = []
        for effect in effects:
            match effect:
                case Provide(key):
                    assert key in self.kept
                    assert key not in self.announcing
                    self.announcing.append(key)
                    assert len(self.announcing) <= CONCURRENT_PROVIDES
                case StopProviding(keys):
                    self.stopped += keys
                case Answer() | Refuse():
                    self.answers.append(effect)
                case _ if self.fails:
                    outcomes.append((self.machine.not_stored, effect, StoreError("disk full")))
                case _:
                    outcomes += self.store(effect)
        for step, *args in outcomes:
            self.do(step(*args, self.now_ms))

    def store(self, effect: Any) -> list[Any]:
        kept = self.kept
        match effect:
            case Extend(_, keys, expires_ms):
                for key in keys:
                    former = kept.get(key, Advertisement(key, expires_ms))
                    kept[key] = replace(former, expires_ms=expires_ms)
            case Remove(_, keys):
                for key in keys:
                    kept.pop(key, None)
            case Reschedule(advertisements):
                for each in advertisements:
                    if each.key in kept:
                        kept[each.key] = replace(each, expires_ms=kept[each.key].expires_ms)
            case Take(now_ms, limit, make_due):
                return [(self.machine.taken, self.take(now_ms, limit, make_due))]
        return [(self.machine.stored, effect)]

    def take(self, now_ms: int, limit: int, make_due: str | None) -> Due:
        self.reads += 1
        kept = self.kept
        for key, each in kept.items():
            if make_due == "all" or (make_due == "failed" and each.failures):
                kept[key] = replace(each, next_provide_ms=0)
        over = [each.key for each in kept.values() if each.expires_ms <= now_ms][:MAX_EXPIRED]
        for key in over:
            del kept[key]
        due = [each for each in kept.values() if each.next_provide_ms <= now_ms][:limit]
        times = [min(each.next_provide_ms, each.expires_ms) for each in kept.values()]
        return Due(over, due, min(times, default=None))

    def advertise(self, *keys: bytes, ttl_ms: int = 20 * HOUR_MS) -> None:
        self.do(self.machine.advertise(TICKET, keys, ttl_ms, self.now_ms))

    def withdraw(self, *keys: bytes) -> None:
        self.do(self.machine.withdraw(TICKET, keys, self.now_ms))

    def finish(self, error: str | None = None) -> None:
        """Ends the oldest announcement."""
        key = self.announcing.popleft()
        if error is None:
            self.announced.append((self.now_ms, key))
        self.do(self.machine.provided(key, error, self.now_ms))

    def run(self, duration_ms: int, *, announces: bool = True) -> None:
        """Lets time pass, with the machine woken when it wants to be."""
        end_ms = self.now_ms + duration_ms
        for _ in range(100_000):
            if announces and self.announcing:
                self.finish()
                continue
            wake_ms = self.machine.next_wake_ms()
            if wake_ms is None or wake_ms > end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = max(self.now_ms, wake_ms)
            self.do(self.machine.tick(self.now_ms))
        raise AssertionError("the machine does not come to rest")


def keys_of(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def test_keys_are_announced_at_once_and_again_in_time() -> None:
    world = World()

    world.advertise(b"a")
    assert world.answers == [Answer(TICKET)]
    world.run(SMALL_NETWORK_REPUBLISH_MS * 3)

    times = [time_ms for time_ms, _ in world.announced]
    assert times[0] == 0
    assert len(times) in {3, 4}


def test_a_machine_without_keys_sleeps() -> None:
    world = World()
    world.run(0)

    assert world.machine.next_wake_ms() is None
    world.advertise(b"a")
    world.withdraw(b"a")
    world.run(HOUR_MS)
    assert world.machine.next_wake_ms() is None


def test_many_keys_are_announced_sixteen_at_a_time() -> None:
    world = World()
    world.advertise(*keys_of(200))

    world.run(0, announces=False)
    assert len(world.announcing) == CONCURRENT_PROVIDES
    world.finish()
    assert len(world.announcing) == CONCURRENT_PROVIDES
    world.run(1)

    assert sorted(key for _, key in world.announced) == keys_of(200)


def test_what_a_restart_left_is_announced_again() -> None:
    world = World()
    world.kept[b"a"] = Advertisement(b"a", 20 * HOUR_MS, next_provide_ms=10 * HOUR_MS)

    world.run(0)

    assert world.announced == [(0, b"a")]


def test_without_peers_nothing_is_announced_and_little_is_read() -> None:
    world = World(peers=0)
    world.advertise(b"a")

    world.run(10 * IDLE_MS)

    assert not world.announced
    assert world.reads <= 12
    world.do(world.machine.peers_changed(1, world.now_ms))
    world.run(0)
    assert world.announced == [(10 * IDLE_MS, b"a")]


def test_keys_run_out_without_peers_too() -> None:
    world = World(peers=0)
    world.advertise(*keys_of(200), ttl_ms=1000)

    world.run(2 * IDLE_MS)

    assert not world.kept
    assert sorted(world.stopped) == keys_of(200)


def test_a_key_that_reached_no_peer_is_tried_again_and_at_once_with_the_first_peer() -> None:
    world = World()
    world.advertise(b"a")
    world.run(0, announces=False)

    world.finish("no peers")
    failed = world.kept[b"a"]
    assert failed.failures == 1
    assert 750 <= failed.next_provide_ms <= 1250
    for count in (0, 1):
        world.do(world.machine.peers_changed(count, world.now_ms))
    world.run(0)

    assert world.announced == [(0, b"a")]
    assert world.kept[b"a"].failures == 0


def test_more_peers_do_not_make_anything_due() -> None:
    world = World()
    world.advertise(b"a", b"b")
    world.run(0, announces=False)
    world.finish("no answer")
    world.finish()

    world.do(world.machine.peers_changed(2, 0))
    world.run(700)

    assert world.announced == [(0, b"b")]


def test_a_key_that_ran_out_while_the_node_was_down_is_not_announced() -> None:
    world = World()
    world.now_ms = HOUR_MS
    world.kept[b"a"] = Advertisement(b"a", HOUR_MS - 1)
    world.kept[b"b"] = Advertisement(b"b", HOUR_MS + 1)

    world.run(0)

    assert world.announced == [(HOUR_MS, b"b")]
    assert world.stopped == [b"a"]


def test_a_key_withdrawn_and_advertised_again_in_its_batch_is_announced_again() -> None:
    world = World()
    world.advertise(b"a", b"b")
    world.run(0, announces=False)
    world.finish()

    world.withdraw(b"a")
    world.advertise(b"a")
    world.run(0)

    assert [key for _, key in world.announced] == [b"a", b"b", b"a"]


def test_an_expired_key_is_announced_no_longer() -> None:
    world = World()
    world.advertise(b"a", ttl_ms=1000)
    world.run(0)

    world.run(1000)

    assert world.stopped == [b"a"]
    assert not world.kept


def test_keys_withdrawn_while_they_wait_are_not_announced() -> None:
    world = World()
    world.advertise(*keys_of(BATCH))
    world.run(0, announces=False)
    begun = list(world.announcing)

    world.withdraw(*keys_of(BATCH))
    world.run(HOUR_MS)

    assert [key for _, key in world.announced] == begun
    assert world.stopped == keys_of(BATCH)


def test_a_key_advertised_again_while_it_was_withdrawn_is_announced_again() -> None:
    world = World()
    world.advertise(b"a")
    world.run(0, announces=False)

    world.withdraw(b"a")
    world.advertise(b"a")
    world.run(0)

    assert world.announced == [(0, b"a"), (0, b"a")]


def test_a_store_that_fails_is_tried_again_and_questions_say_so() -> None:
    world = World()
    world.fails = True
    world.run(0)
    assert world.machine.next_wake_ms() == STORE_RETRY_MS

    world.advertise(b"a")
    world.withdraw(b"a")

    assert [type(answer) for answer in world.answers] == [Refuse, Refuse]
    assert not world.stopped
    world.run(10 * STORE_RETRY_MS - 1)
    world.fails = False
    world.kept[b"b"] = Advertisement(b"b", HOUR_MS, next_provide_ms=HOUR_MS)
    world.run(STORE_RETRY_MS)
    assert [key for _, key in world.announced] == [b"b"]


def test_keys_whose_next_time_could_not_be_stored_are_announced_again() -> None:
    world = World()
    world.advertise(b"a")
    world.run(0, announces=False)

    world.fails = True
    world.finish()
    world.fails = False
    world.run(STORE_RETRY_MS)

    assert world.announced == [(0, b"a"), (STORE_RETRY_MS, b"a")]


steps = st.lists(
    st.tuples(
        st.sampled_from(["advertise", "withdraw", "finish", "lose", "peers", "fail", "run"]),
        st.integers(0, 30),
    ),
    max_size=60,
)


@given(steps)
def test_whatever_happens_every_key_is_announced_in_the_end(steps: list[tuple[str, int]]) -> None:
    """The store fails, peers come and go, keys are withdrawn; `World` checks each effect."""
    world = World()
    for kind, number in steps:
        match kind:
            case "advertise":
                world.advertise(*keys_of(number))
            case "withdraw":
                world.withdraw(*keys_of(number))
            case "finish" | "lose" if world.announcing:
                world.finish(None if kind == "finish" else "no answer")
            case "peers":
                world.do(world.machine.peers_changed(number % 3, world.now_ms))
            case "fail":
                world.fails = number % 2 == 0
            case "run":
                world.run(200 * number, announces=False)
    world.fails = False
    world.do(world.machine.peers_changed(1, world.now_ms))
    wanted, begun = set(world.kept), set(world.announcing)
    world.announced.clear()

    world.run(SMALL_NETWORK_REPUBLISH_MS + IDLE_MS)

    announced = {key for _, key in world.announced}
    assert wanted <= announced <= wanted | begun


def test_a_search_that_finds_too_many_is_bounded() -> None:
    search = LookUp(fake_peer_id(0))

    for number in range(10_000):
        search.found([Provider(fake_peer_id(number + 1), [])])

    assert len(search._waiting) == MAX_FOUND
    assert len(search._seen) == MAX_FOUND


def test_a_search_finds_each_provider_once_with_addresses_that_can_be_dialled() -> None:
    search = LookUp(fake_peer_id(0))
    claimed = ["/ip4/1.2.3.4/udp/1/quic-v1", fake_address(1), *[fake_address(2)] * 100]

    usable = search.found([Provider(fake_peer_id(1), claimed), Provider(fake_peer_id(0), claimed)])
    search.found([Provider(fake_peer_id(1), [])])

    [provider] = usable
    assert provider.addresses == [fake_address(1), *[fake_address(2)] * 14]
    assert search.take() == provider
    assert search.take() is None
