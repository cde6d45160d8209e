"""KER-31: what the router calls again by itself may be done again."""

import importlib
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool

ROOT = Path(__file__).parents[2]
IDEMPOTENT = 2
KEY = "idempotency_key"


def methods() -> list[Any]:
    """Descriptors of all methods of the contracts."""
    found = []
    for path in sorted((ROOT / "proto").rglob("*.proto")):
        name = str(path.relative_to(ROOT / "proto"))
        importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        services = descriptor_pool.Default().FindFileByName(name).services_by_name.values()
        found += [method for service in services for method in service.methods]
    return found


def test_a_method_that_is_done_again_without_a_key_is_not_called_again() -> None:
    """A key may be empty, and then each call is another one."""
    keyed = {each.full_name: each for each in methods() if KEY in each.input_type.fields_by_name}
    repeated = [
        name for name, each in keyed.items() if each.GetOptions().idempotency_level == IDEMPOTENT
    ]

    assert {"logos.chain.v1.Wallet.Send", "logos.chain.v1.ZoneSequencer.Deposit"} <= set(keyed)
    assert not repeated
