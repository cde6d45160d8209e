"""DLC-27 to DLC-30: rate limits, by published settings and sequences."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.light import rates
from logos_delivery.core.light.errors import RateLimitInvalidError
from logos_delivery.core.light.rates import (
    UNLIMITED,
    PeerLimits,
    RateLimit,
    RateLimits,
    Service,
    ServiceLimits,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/light.json").read_text("utf-8")
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["rate_settings"], ids=lambda case: str(case["settings"]))
def test_the_published_settings(case: dict[str, Any]) -> None:
    found = rates.parse(case["settings"])
    for name, (volume, period_ms) in case["limits"].items():
        assert found.of(Service(name)) == RateLimit(volume, period_ms)


@pytest.mark.vectors
@pytest.mark.parametrize("text", VECTORS["rate_settings_refused"])
def test_the_published_settings_that_are_refused(text: str) -> None:
    with pytest.raises(RateLimitInvalidError, match="Invalid rate-limit setting: "):
        rates.parse([text])


def test_without_settings_filter_alone_has_a_limit() -> None:
    assert RateLimits().of(Service.FILTER) == RateLimit(30, 60_000)
    assert RateLimits().of(Service.STORE) == UNLIMITED
    assert rates.parse(["0/1s"]).of(Service.STORE).is_unlimited
    assert rates.parse(["1/0s"]).of(Service.STORE).is_unlimited


@given(st.text(max_size=30))
def test_arbitrary_settings_are_read_or_refused(text: str) -> None:
    try:
        rates.parse([text])
    except RateLimitInvalidError:
        return


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["rate_sequences"], ids=lambda case: case["id"])
def test_the_published_sequences_of_a_service(case: dict[str, Any]) -> None:
    limits = ServiceLimits(RateLimit(case["volume"], case["period"]))
    for number, (peer, at_ms, is_allowed) in enumerate(case["requests"]):
        assert limits.allow(peer, at_ms) is is_allowed, number


def test_the_thirty_first_request_within_a_minute_is_refused() -> None:
    limits = PeerLimits(rates.FILTER_DEFAULT)
    assert all(limits.allow("a", 1_000 * second) for second in range(30))
    assert not limits.allow("a", 59_999)
    assert limits.allow("b", 59_999)
    assert all(limits.allow("a", 60_000) for _ in range(30))
    assert not limits.allow("a", 60_000)


def test_no_limit_is_none() -> None:
    for limits in (PeerLimits(UNLIMITED), ServiceLimits(UNLIMITED)):
        assert all(limits.allow("a", 0) for _ in range(1_000))


def test_the_peers_that_asked_longest_ago_are_forgotten() -> None:
    limits = PeerLimits(RateLimit(1, 1_000), max_peers=2)
    for peer in ("a", "b", "a"):
        limits.allow(peer, 0)
    assert limits.allow("c", 0)
    assert len(limits) == 2
    assert not limits.allow("a", 0)
    assert limits.allow("b", 0)


@given(
    st.integers(1, 5),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), max_size=60),
)
def test_no_more_than_the_limit_in_any_period(
    volume: int, period_ms: int, requests: list[tuple[int, str]]
) -> None:
    limit = RateLimit(volume, period_ms)
    limits, service, now_ms = PeerLimits(limit), ServiceLimits(limit), 0
    allowed: list[tuple[int, str]] = []
    served: list[int] = []
    for gap_ms, peer in requests:
        now_ms += gap_ms
        if limits.allow(peer, now_ms):
            allowed.append((now_ms, peer))
        if service.allow(peer, now_ms):
            served.append(now_ms)
    for peer in "ab":
        mine = [at_ms for at_ms, who in allowed if who == peer]
        # Two periods may touch: twice the volume in one of any place.
        for at_ms in mine:
            assert sum(at_ms <= other < at_ms + period_ms for other in mine) <= 2 * volume
    for place, at_ms in enumerate(served):
        for later, until_ms in enumerate(served[place:], 1):
            burst = volume * 10
            assert (later - burst) * period_ms <= (until_ms - at_ms) * volume


@given(st.lists(st.integers(0, 3), max_size=80))
def test_a_peer_that_keeps_to_its_limit_is_never_refused(gaps: list[int]) -> None:
    limits, now_ms, volume, period_ms = PeerLimits(RateLimit(4, 12)), 0, 4, 12
    for gap_ms in gaps:
        now_ms += gap_ms + period_ms // volume
        assert limits.allow("a", now_ms)
