"""State that was damaged while a node was down: it says so, and loses nothing more."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.commands import Command
from logos_testnet.layout import layout_of
from logos_testnet.opening import Places
from logos_testnet.scenarios.files import sample
from own_topology import claim_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PORTS = claim_ports()
TOPOLOGY = f"""\
schema = 1
name = "lost"
node_count = 1
[ports]
front = {PORTS.front}
p2p = {PORTS.p2p}
[modules.mixnet]
[modules.storage]
"""
CONTENT = sample(3_000_000, "lost")
ON_NODE = ("ctl", "--address", f"127.0.0.1:{PORTS.front + 1}", "--output", "json")


@pytest.fixture
def topology(tmp_path: Path, logos: Command) -> Iterator[str]:
    path = tmp_path / "lost.toml"
    path.write_text(TOPOLOGY, encoding="utf-8")
    yield str(path)
    logos("down", "--topology", str(path), "--purge")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def scribble(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def set_aside(said: str, advice: str) -> None:
    """Does what a refusal says, as it is printed."""
    command = said.partition(advice)[2].partition("\n")[0]
    subprocess.run(["sh", "-c", command], check=True)


def stored(logos: Command, topology: str) -> str:
    """Starts the node, stores a file, stops it, and returns the file's CID."""
    assert logos("up", "--topology", topology).returncode == 0
    put = logos(*ON_NODE[:3], "storage", "put", "-", given=CONTENT)
    assert put.returncode == 0, put.stderr
    assert logos("down", "--topology", topology).returncode == 0
    return put.stdout.decode().strip()


@pytest.mark.parametrize("damage", [truncate, scribble, Path.unlink])
def test_an_empty_catalogue_is_a_refusal_and_no_file_is_lost(
    logos: Command, topology: str, places: Places, damage: Callable[[Path], None]
) -> None:
    cid = stored(logos, topology)
    state = layout_of(places.state_root, "lost").node("node1") / "modules" / "storage"
    whole, trees = (state / "storage.db").read_bytes(), contents(state / "trees")
    damage(state / "storage.db")

    ended = logos("up", "--topology", topology)

    assert ended.returncode == 5
    assert "CATALOGUE_LOST" in ended.stderr.decode()
    assert contents(state / "trees") == trees
    listed = json.loads(logos(*ON_NODE, "module", "list").stdout)
    [storage] = [one for one in listed if one["module"] == "storage"]
    assert storage["state"] == "failed"
    assert "CATALOGUE_LOST" in storage["last_exit"]

    (state / "storage.db").write_bytes(whole)
    assert logos("up", "--topology", topology).returncode == 0
    got = logos(*ON_NODE[:3], "storage", "get", cid, "--local")
    assert got.stdout == CONTENT


def test_the_way_out_works_as_it_is_printed(logos: Command, topology: str, places: Places) -> None:
    cid = stored(logos, topology)
    node = layout_of(places.state_root, "lost").node("node1")
    truncate(node / "modules" / "storage" / "storage.db")
    assert logos("up", "--topology", topology).returncode == 5

    log = logos("logs", "--testnet", "lost", "node1", "storage").stdout.decode()
    set_aside(log, "begin without them: ")

    assert logos("up", "--topology", topology).returncode == 0
    assert logos(*ON_NODE[:3], "storage", "exists", cid).returncode == 4
    again = logos(*ON_NODE[:3], "storage", "put", "-", given=CONTENT)
    assert again.stdout.decode().strip() == cid
    kept = [
        raw
        for name, raw in contents(node / "modules" / "storage" / "lost").items()
        if name.endswith("/data")
    ]
    assert kept == [CONTENT]


def test_content_that_the_catalogue_does_not_know_is_set_aside_and_reported(
    logos: Command, topology: str, places: Places
) -> None:
    stored(logos, topology)
    state = layout_of(places.state_root, "lost").node("node1") / "modules" / "storage"
    trees = contents(state / "trees")
    with sqlite3.connect(state / "storage.db") as catalogue:  # as before the put
        catalogue.execute("DELETE FROM dataset")
        catalogue.execute("DELETE FROM tree")
    catalogue.close()

    assert logos("up", "--topology", topology).returncode == 0

    assert contents(state / "aside") == trees
    listed = json.loads(logos(*ON_NODE, "module", "list").stdout)
    [storage] = [one for one in listed if one["module"] == "storage"]
    size_bytes = sum(map(len, trees.values()))
    assert storage["status"] == f"set aside: 1 tree of {size_bytes} bytes"
    log = logos("logs", "--testnet", "lost", "node1", "storage").stdout.decode()
    assert "content that the catalogue does not know was set aside" in log


@pytest.mark.parametrize(
    "case",
    [
        ("modules/mixnet/mixnet.sqlite", scribble, "DATABASE_DAMAGED"),
        ("modules/mixnet/identity.key", Path.unlink, "IDENTITY_LOST"),
        ("kernel/kernel.sqlite", scribble, "DATABASE_DAMAGED"),
    ],
)
def test_other_state_that_was_damaged_is_named_in_one_line(
    logos: Command, topology: str, places: Places, case: tuple[str, Callable[[Path], None], str]
) -> None:
    name, damage, reason = case
    cid = stored(logos, topology)
    path = layout_of(places.state_root, "lost").node("node1") / name
    whole = path.read_bytes()
    damage(path)

    ended = logos("up", "--topology", topology)

    said = "".join(ended.stderr.decode().split())
    assert ended.returncode == 5
    assert f"{reason}:{path}" in said
    assert "Traceback" not in said
    assert logos("down", "--topology", topology).returncode == 0
    path.write_bytes(whole)
    assert logos("up", "--topology", topology).returncode == 0
    assert logos(*ON_NODE[:3], "storage", "get", cid, "--local").stdout == CONTENT
