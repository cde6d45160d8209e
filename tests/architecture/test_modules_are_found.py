"""Nothing that runs modules knows one by name; what a module may declare is written down."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from logos_base.manifest import Manifest
from logos_base.needs import (
    ADDRESSES,
    GENESIS_PRIVATE,
    GENESIS_PUBLIC,
    NETWORKS,
    OTHERS,
    SEED,
    TARGET_PEERS,
    Genesis,
    Limits,
    Needs,
    ReadyFigure,
)

ROOT = Path(__file__).parents[2]
TESTNET = ROOT / "libs/logos-testnet/src/logos_testnet"
PAGE = (ROOT / "docs/modules.md").read_text(encoding="utf-8")
KINDS = (Manifest, Needs, Limits, ReadyFigure, Genesis)


def named_modules() -> list[str]:
    manifests = ROOT.glob("services/*/src/logos_*/module.toml")
    return sorted(path.parents[2].name for path in manifests)


def test_there_are_modules() -> None:
    assert named_modules()


@pytest.mark.parametrize("module", named_modules())
def test_the_testnet_names_no_module(module: str) -> None:
    """But in scenarios: they say what modules do."""
    sources = [path for path in TESTNET.rglob("*.py") if "scenarios" not in path.parts]
    texts = {path.name: path.read_text(encoding="utf-8") for path in sources}

    assert [name for name, text in texts.items() if re.search(module, text, re.IGNORECASE)] == []


@pytest.mark.parametrize(
    "word",
    [
        *(each.name for kind in KINDS for each in fields(kind) if each.name != "needs"),
        *(SEED, TARGET_PEERS, GENESIS_PUBLIC, GENESIS_PRIVATE, OTHERS),
        *(f"PORT.{kind}" for kind in sorted(ADDRESSES)),
        *sorted(NETWORKS),
    ],
)
def test_what_a_manifest_may_say_is_on_the_page(word: str) -> None:
    assert re.search(rf"(?<![\w.]){re.escape(word)}\b", PAGE) or f".{word}`" in PAGE
