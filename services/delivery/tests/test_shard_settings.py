"""DEL-10: which shards a node relays though no application subscribes."""

from typing import Any

import pytest

from logos_delivery.config import MAX_UNASKED, parse


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, range(8)),
        ({"preset": "status.prod"}, [0]),
        ({"shards": []}, []),
        ({"shards": [5, 2]}, [5, 2]),
        ({"cluster": 9, "cluster_shards": MAX_UNASKED}, range(MAX_UNASKED)),
        ({"cluster": 9, "cluster_shards": MAX_UNASKED + 1}, []),
    ],
)
def test_all_shards_of_the_cluster_unless_some_are_named(
    settings: dict[str, Any], expected: Any
) -> None:
    assert parse(settings).own_shards == tuple(expected)
