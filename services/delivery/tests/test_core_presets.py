"""DSN-24: networks by name, by the reference's table."""

import json
from pathlib import Path
from typing import Any

import pytest

from logos_delivery.core.presets import PRESETS

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/presets.json").read_text("utf-8")
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["presets"], ids=lambda case: case["id"])
def test_the_published_networks(case: dict[str, Any]) -> None:
    preset = PRESETS[case["id"]]
    rln = preset.rln

    assert (preset.name, preset.cluster, preset.shards) == (
        case["id"],
        case["cluster"],
        case["shards"],
    )
    assert preset.max_message_bytes == case["max_message_bytes"]
    assert (preset.has_mix, preset.is_reliable) == (case["mix"], case["reliability"])
    assert (rln.epoch_s if rln else None) == case["rln_epoch_s"]
    assert (rln.message_limit if rln else None) == case["rln_limit"]
    assert (rln.chain_id if rln else None) == case["chain_id"]
    assert (rln.contract if rln else None) == case["contract"]


def test_the_local_network_has_all_and_a_cluster_of_its_own() -> None:
    local = PRESETS["logos.local"]

    assert (local.cluster, local.shards) == (66, 8)
    assert local.rln is not None
    assert local.rln.epoch_s is None  # the mixnet's own
    assert local.has_mix
    assert local.is_reliable
    assert len({preset.cluster for preset in PRESETS.values()}) == len(PRESETS)
