"""The settings of storage: what the manifest declares, and what changes while it runs."""

import tomllib
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from logos_base.errors import ConfigError
from logos_module.settings import Outcome
from logos_storage.config import Config, parse
from logos_storage.node import change_settings, monotonic_ms, wall_clock_us
from logos_storage.store.opening import open_store

MIB = 1024**2


def declared() -> dict[str, Any]:
    text = resources.files("logos_storage").joinpath("module.toml").read_text(encoding="utf-8")
    properties: dict[str, Any] = tomllib.loads(text)["settings"]["properties"]
    return properties


def test_the_manifest_declares_the_settings_that_there_are() -> None:
    assert declared().keys() == {field.name for field in fields(Config)}


@pytest.mark.parametrize("name", sorted(declared().keys() - {"block_size_bytes"}))
def test_the_manifest_declares_the_limits_that_hold(name: str) -> None:
    low, high = declared()[name]["minimum"], declared()[name]["maximum"]

    for value in (low, high):
        parse({name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(ConfigError, match=name):
            parse({name: value})


async def test_the_quota_changes_at_once_and_the_rest_with_a_restart(tmp_path: Path) -> None:
    started = Config(quota_bytes=9 * MIB)
    async with open_store(
        tmp_path, quota_bytes=9 * MIB, monotonic_ms=monotonic_ms, wall_clock_us=wall_clock_us
    ) as datasets:
        outcome = change_settings(datasets, started, {"quota_bytes": 2 * MIB})
        assert (outcome, (await datasets.space()).quota_bytes) == (Outcome.APPLIED, 2 * MIB)

        wanted = {"quota_bytes": 3 * MIB, "fetch_timeout_ms": 5000}
        assert change_settings(datasets, started, wanted) is Outcome.REQUIRES_RESTART
        with pytest.raises(ConfigError):
            change_settings(datasets, started, {"quota_bytes": 1})
        assert (await datasets.space()).quota_bytes == 2 * MIB
