"""DST-39: the settings of reconciliations."""

from typing import Any

import pytest

from logos_base.errors import ConfigError
from logos_delivery.config import parse


def test_the_defaults() -> None:
    config = parse({})
    times = (config.sync_interval_s, config.sync_range_s, config.sync_offset_s)
    assert (config.sync, times) == (False, (300, 3_600, 20))


def test_where_an_archive_is() -> None:
    """DST-44: where a node relays, and at an edge node that is told so, if it can judge."""
    for settings, keeps in (
        ({}, True),
        ({"store": False}, False),
        ({"mode": "edge"}, False),
        ({"mode": "edge", "store": True, "rln": False}, True),
        ({"mode": "edge", "store": True, "preset": "logos.dev"}, True),
    ):
        assert parse(settings).keeps is keeps, settings
    with pytest.raises(ConfigError, match="store: an edge node judges no proofs"):
        parse({"mode": "edge", "store": True})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sync", "yes"),
        ("sync_interval_s", -1),
        ("sync_interval_s", True),
        ("sync_range_s", 0),
        ("sync_range_s", 2_592_001),
        ("sync_offset_s", "20"),
    ],
)
def test_what_is_no_setting(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        parse({name: value})
