"""A testnet's first members (RLN-39), on processes: epochs last an hour, so no cut helps."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.commands import Command, program, surroundings
from logos_testnet.layout import Layout, layout_of
from logos_testnet.opening import Places
from own_topology import claim_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NODES = 5
PORTS = claim_ports()
TOPOLOGY = f"""\
schema = 1
name = "first"
node_count = {NODES}
target_peers = 4
[ports]
front = {PORTS.front}
p2p = {PORTS.p2p}
[modules.mixnet]
settings = {{ rln_period_ms = PERIOD, rln_limit = 2000 }}
"""
HOUR_MS = 3_600_000
KEPT = ("membership", "members", "commitment", "root")


@pytest.fixture
def layout(places: Places) -> Layout:
    return layout_of(places.state_root, "first")


@pytest.fixture
def topology(tmp_path: Path, logos: Command, layout: Layout) -> Iterator[Path]:
    path = tmp_path / "first.toml"
    path.write_text(TOPOLOGY.replace("PERIOD", str(HOUR_MS)), encoding="utf-8")
    yield path
    logos("down", "--topology", str(path), "--purge")


def statuses(logos: Command, nodes: int) -> list[Any]:
    """What each node says of its rate limits."""
    found = []
    for node in range(1, nodes + 1):
        address = ("--address", f"127.0.0.1:{PORTS.front + node}")
        ended = logos("ctl", *address, "rln", "status", "--output", "json")
        assert ended.returncode == 0, ended.stderr.decode()
        found += json.loads(ended.stdout)
    return found


def held(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("identity.key", "rln.key")]


def state(layout: Layout, node: int) -> Path:
    return layout.node(f"node{node}") / "modules" / "mixnet"


def given(layout: Layout, node: int) -> Path:
    return layout.private_genesis(f"node{node}", "mixnet")


def test_the_very_first_ping_is_answered_in_the_epoch_of_the_start(
    logos: Command, topology: Path, layout: Layout
) -> None:
    """By proofs, which every hop verifies."""
    assert logos("up", "--topology", str(topology)).returncode == 0

    pinged = logos("ctl", "--address", f"127.0.0.1:{PORTS.front + 1}", "mix", "ping", "node4")

    assert pinged.returncode == 0, pinged.stderr.decode()
    found = statuses(logos, NODES)
    assert [(each["membership"], each["members"]) for each in found] == [("active", NODES)] * NODES
    assert len({each["root"] for each in found}) == 1
    for node in range(1, NODES + 1):
        assert held(state(layout, node)) == held(given(layout, node))


def test_a_genesis_that_was_killed_is_made_again(
    logos: Command, topology: Path, layout: Layout, places: Places
) -> None:
    words = program("up", "--topology", str(topology), "--nodes", "2")
    with subprocess.Popen(
        words, env=surroundings(places.state_root), stdout=subprocess.DEVNULL, process_group=0
    ) as started:
        until(given(layout, 2).exists)  # its command is about to begin
        os.killpg(started.pid, signal.SIGKILL)
    assert not (layout.public_genesis("mixnet") / ".genesis.json").exists()
    (given(layout, 1) / "identity.key").write_bytes(b"half")

    assert logos("up", "--topology", str(topology), "--nodes", "2").returncode == 0

    found = statuses(logos, 2)
    assert [(each["membership"], each["members"]) for each in found] == [("active", 2)] * 2
    assert held(state(layout, 1)) == held(given(layout, 1))


def test_a_testnet_that_is_older_than_its_genesis_keeps_its_members(
    logos: Command, topology: Path, layout: Layout
) -> None:
    assert logos("up", "--topology", str(topology), "--nodes", "2").returncode == 0
    before = statuses(logos, 2)
    assert logos("down", "--topology", str(topology)).returncode == 0
    for folder in (layout.public_genesis("mixnet"), given(layout, 1), given(layout, 2)):
        shutil.rmtree(folder)

    assert logos("up", "--topology", str(topology), "--nodes", "2").returncode == 0

    assert held(state(layout, 1)) != held(given(layout, 1))
    for then, now in zip(before, statuses(logos, 2), strict=True):
        assert [now[key] for key in KEPT] == [then[key] for key in KEPT]


def test_a_node_that_is_added_announces_itself(
    logos: Command, topology: Path, layout: Layout
) -> None:
    topology.write_text(TOPOLOGY.replace("PERIOD", "1000"), encoding="utf-8")
    assert logos("up", "--topology", str(topology), "--nodes", "2").returncode == 0

    assert logos("up", "--topology", str(topology), "--nodes", "3").returncode == 0

    until(lambda: [each["members"] for each in statuses(logos, 3)] == [3] * 3)
    until(lambda: {each["membership"] for each in statuses(logos, 3)} == {"active"})
    assert not given(layout, 3).exists()
    assert len(held(state(layout, 3))) == 2


def until(holds: Callable[[], bool]) -> None:
    """Waits; the test's own timeout ends it."""
    while not holds():
        time.sleep(0.005)
