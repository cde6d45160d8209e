"""A node under the eyes of its operator: settings, figures and logs of real modules."""

import json
from subprocess import CompletedProcess
from typing import Any

import pytest

from integration.commands import Command

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("testnet"),
]


def document(ended: CompletedProcess[bytes]) -> Any:
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def pid_of(logos: Command, module: str) -> int:
    modules = document(logos("ctl", "--output", "json", "module", "list"))
    return next(int(one["pid"]) for one in modules if one["module"] == module)


def test_the_quota_of_storage_changes_without_a_restart(logos: Command) -> None:
    before, pid = (
        document(logos("ctl", "--output", "json", "storage", "space")),
        pid_of(logos, "storage"),
    )

    smaller = logos("ctl", "settings", "set", "storage", "quota_bytes=2000000", "log_level=DEBUG")
    space = document(logos("ctl", "--output", "json", "storage", "space"))
    too_small = logos("ctl", "settings", "set", "storage", "quota_bytes=1")
    back = logos("ctl", "settings", "set", "storage", "quota_bytes=null", "log_level=null")

    assert (smaller.returncode, too_small.returncode, back.returncode) == (0, 2, 0)
    assert space["quota_bytes"] == 2_000_000
    assert b"INVALID_SETTINGS" in too_small.stderr
    after = document(logos("ctl", "--output", "json", "storage", "space"))
    assert after["quota_bytes"] == before["quota_bytes"]
    assert pid_of(logos, "storage") == pid


def test_the_level_of_the_log_of_mixnet_changes_what_it_writes(logos: Command) -> None:
    for level in ("DEBUG", "null"):
        assert logos("ctl", "settings", "set", "mixnet", f"log_level={level}").returncode == 0

    said = logos("ctl", "module", "logs", "mixnet", "--since", "5m").stdout.decode()

    held = [json.loads(line) for line in said.splitlines() if "settings hold" in line]
    assert [line["log_level"] for line in held[-2:]] == ["DEBUG", "INFO"]


def test_figures_of_a_node_are_those_of_its_processes(logos: Command) -> None:
    assert logos("ctl", "storage", "space").returncode == 0

    figures = document(logos("ctl", "--output", "json", "module", "stats"))

    assert {one["module"] for one in figures} == {
        "kernel",
        "mixnet",
        "storage",
        "delivery",
        "chain",
    }
    assert all(one["rss_bytes"] > 1024**2 for one in figures)
    [storage] = [one for one in figures if one["module"] == "storage"]
    assert storage["state"] == "ready"
    assert {"logos.storage.v1.Storage/Space"} <= {one["method"] for one in storage["methods"]}
