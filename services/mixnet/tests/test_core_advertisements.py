import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import seeded

from logos_mixnet.core.advertisements import (
    MAX_TTL_MS,
    REPUBLISH_MS,
    SMALL_NETWORK_REPUBLISH_MS,
    Advertisement,
    check_keys,
    check_ttl,
)
from logos_mixnet.core.errors import InvalidKeyError, InvalidTtlError

KEY = b"key"


@given(peers=st.integers(0, 100), seed=st.integers(0, 1000))
def test_keys_are_announced_again_long_before_their_records_run_out(peers: int, seed: int) -> None:
    again = Advertisement(KEY, MAX_TTL_MS, failures=3).provided(0, peers=peers, rng=seeded(seed))

    most = REPUBLISH_MS if peers >= 20 else SMALL_NETWORK_REPUBLISH_MS
    assert 0.9 * most <= again.next_provide_ms <= most
    assert again.failures == 0


def test_a_key_that_could_not_be_announced_is_tried_again_soon() -> None:
    once = Advertisement(KEY, MAX_TTL_MS).not_provided(0, rng=seeded(1))
    often = Advertisement(KEY, MAX_TTL_MS, failures=50).not_provided(0, rng=seeded(1))

    assert 750 <= once.next_provide_ms <= 1250
    assert 45_000 <= often.next_provide_ms <= 75_000
    assert once.failures == 1


@pytest.mark.parametrize("keys", [[b""], [b"x" * 129], [b"x"] * 1001])
def test_keys_beyond_the_limits_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(InvalidKeyError):
        check_keys(keys)


def test_the_key_at_fault_is_named() -> None:
    with pytest.raises(InvalidKeyError) as caught:
        check_keys([b"good", b""])

    assert caught.value.field == "keys[1]"


def test_a_key_named_twice_counts_once() -> None:
    assert check_keys([b"b", b"a", b"b"]) == [b"b", b"a"]


def test_advertisements_last_up_to_a_day() -> None:
    assert check_ttl(None) == MAX_TTL_MS
    assert check_ttl(1) == 1
    for ttl_ms in (0, -1, MAX_TTL_MS + 1):
        with pytest.raises(InvalidTtlError):
            check_ttl(ttl_ms)
