"""KER-17: what a viewer may call looks, and neither tells a secret nor signs."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import MethodOptions

ROOT = Path(__file__).parents[2]
PROTOS = sorted((ROOT / "proto").glob("logos/*/v1/*.proto"))
LOOKS = (
    *("Get", "List", "Stat", "Exists", "Space", "Read", "Query", "Scan", "Describe", "Explain"),
    *("Watch", "Follow", "Subscribe", "Receive", "Stream", "Replay", "Plan", "Trace", "Verify"),
    "RecoverSecret",  # from two proofs that its caller has: it tells nothing of the node's
)


def of_viewers() -> Iterator[str]:
    for path in PROTOS:
        name = ".".join(path.relative_to(ROOT / "proto").with_suffix("").parts)
        file = importlib.import_module(f"{name}_pb2").DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                if method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS:
                    yield method.full_name


def test_viewers_may_look_and_no_more() -> None:
    found = list(of_viewers())
    assert "logos.chain.v1.Wallet.GetBalance" in found
    others = [each for each in found if not each.rpartition(".")[2].startswith(LOOKS)]
    assert others == []


def test_secrets_and_signatures_are_not_for_viewers() -> None:
    found = {re.sub(r".*\.", "", each) for each in of_viewers()}
    assert found.isdisjoint({"ExportPhrase", "SignNodeRecord"})
