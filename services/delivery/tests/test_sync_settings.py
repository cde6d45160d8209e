"""DST-39: the settings of reconciliations."""

from typing import Any

import pytest

from logos_base.errors import ConfigError
from logos_delivery.config import parse


def test_the_defaults() -> None:
    config = parse({})
    times = (config.sync_interval_s, config.sync_range_s, config.sync_offset_s)
    assert (config.sync, times) == (False, (300, 3_600, 20))


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
