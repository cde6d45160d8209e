import hashlib

from logos_storage.core.announce import (
    KEYS_PER_CALL,
    RETRY_MS,
    Announce,
    PassOn,
    Sweep,
)
from logos_storage.core.cid import MANIFEST, Cid

HOUR_MS = 3_600_000


def cid(number: int) -> Cid:
    return Cid(MANIFEST, hashlib.sha256(str(number).encode()).digest())


def swept_machine() -> Announce:
    machine = Announce(HOUR_MS)
    assert machine.tick(0) == [Sweep()]
    assert machine.swept([], 0) == []
    return machine


def test_all_is_swept_at_once_and_then_every_interval() -> None:
    machine = Announce(HOUR_MS)
    assert machine.next_wake_ms() == 0

    assert machine.tick(5) == [Sweep()]
    assert machine.next_wake_ms() is None
    assert machine.swept([cid(1), cid(2)], 10) == [PassOn((cid(1), cid(2)), is_held=True)]
    assert machine.passed_on(20) == []

    assert machine.next_wake_ms() == 10 + HOUR_MS
    assert machine.tick(10 + HOUR_MS) == [Sweep()]


def test_one_call_at_a_time_and_what_waits_is_joined() -> None:
    machine = swept_machine()

    assert machine.announce(cid(1), 0) == [PassOn((cid(1),), is_held=True)]
    assert machine.announce(cid(2), 1) == []
    assert machine.withdraw(cid(3), 2) == []
    assert machine.announce(cid(4), 3) == []

    assert machine.passed_on(4) == [PassOn((cid(2), cid(4)), is_held=True)]
    assert machine.passed_on(5) == [PassOn((cid(3),), is_held=False)]
    assert machine.passed_on(6) == []


def test_the_last_word_on_a_manifest_counts() -> None:
    machine = swept_machine()
    machine.announce(cid(0), 0)
    machine.announce(cid(1), 0)

    machine.withdraw(cid(1), 1)

    assert machine.passed_on(2) == [PassOn((cid(1),), is_held=False)]


def test_a_sweep_does_not_bring_back_what_was_withdrawn_meanwhile() -> None:
    machine = Announce(HOUR_MS)
    machine.tick(0)
    assert machine.withdraw(cid(1), 1) == [PassOn((cid(1),), is_held=False)]

    assert machine.swept([cid(1), cid(2)], 2) == []
    assert machine.passed_on(3) == [PassOn((cid(2),), is_held=True)]
    assert machine.passed_on(4) == []


def test_a_call_that_fails_is_made_again_in_a_moment_with_later_words() -> None:
    machine = swept_machine()
    machine.announce(cid(1), 0)
    machine.withdraw(cid(1), 1)
    machine.announce(cid(2), 2)

    assert machine.not_passed_on(10) == []
    assert machine.announce(cid(3), 11) == []

    assert machine.next_wake_ms() == 10 + RETRY_MS
    assert machine.tick(10 + RETRY_MS) == [PassOn((cid(1),), is_held=False)]
    assert machine.passed_on(2000) == [PassOn((cid(2), cid(3)), is_held=True)]


def test_calls_carry_no_more_keys_than_the_contract_allows() -> None:
    machine = Announce(HOUR_MS)
    machine.tick(0)
    cids = [cid(number) for number in range(2 * KEYS_PER_CALL + 1)]

    sizes = []
    effects = machine.swept(cids, 0)
    while effects:
        (effect,) = effects
        assert isinstance(effect, PassOn)
        sizes.append(len(effect.cids))
        effects = machine.passed_on(1)

    assert sizes == [KEYS_PER_CALL, KEYS_PER_CALL, 1]
