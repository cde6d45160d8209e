"""DST-20, DST-21: what an operator writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ConfigError
from logos_delivery.core.archive.policies import (
    KeepBytes,
    KeepCount,
    KeepTime,
    Policy,
    parse_policies,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("none", ()),
        ("time:3600", (KeepTime(3600),)),
        (
            "time:3600;size:1GB;capacity:100",
            (KeepTime(3600), KeepBytes(1 << 30), KeepCount(100)),
        ),
        (" Time:1 ; SIZE:1.5mb ;", (KeepTime(1), KeepBytes(3 << 19))),
        ("size:.5kb", (KeepBytes(512),)),
        ("size:30gb", (KeepBytes(32_212_254_720),)),
    ],
)
def test_policies_are_read(text: str, expected: tuple[Policy, ...]) -> None:
    assert parse_policies(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "time:0",
        "time:-1",
        "time:1.5",
        "time:10s",
        "time:1gb",
        "time:²",
        "capacity:0",
        "capacity:5mb",
        "size:5",
        "size:0GB",
        "size:0.0001KB",
        "size:5TB",
        "size:1e3GB",
        "time:" + "9" * 5000,
        "size:" + "9" * 5000 + "kb",
        "days:2",
        "time",
        "time:1;time:2",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policies(text)

    assert len(caught.value.problems) == 1


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policies("time:x;capacity:10;size:5;nothing:1")

    assert len(caught.value.problems) == 3


@pytest.mark.property
@given(
    st.builds(KeepTime, st.integers(1, 1 << 40))
    | st.builds(KeepCount, st.integers(1, 1 << 40))
    | st.builds(KeepBytes, st.integers(1, 1 << 20).map(lambda count: count << 10))
)
def test_a_policy_is_read_as_it_is_shown(policy: Policy) -> None:
    assert parse_policies(str(policy)) == (policy,)
