"""`./logos up` and `down`: what they start, refuse and leave. Small nodes, one tiny module."""

import fcntl
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.commands import ROOT, Command
from logos_testnet.layout import Layout, layout_of
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import Places, described_by
from logos_testnet.ports import taken_ports
from logos_testnet.processes import find_processes, send_signal

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

FRONT = 21200
HELLO = f"""\
schema = 1
name = "tiny"
node_count = 2
[ports]
front = {FRONT}
p2p = 22200
[modules.hello]
"""


@pytest.fixture
def hello(tmp_path: Path, logos: Command) -> Iterator[str]:
    """A topology of two small nodes; purged at the end."""
    path = tmp_path / "hello.toml"
    path.write_text(HELLO, encoding="utf-8")
    yield str(path)
    path.write_text(HELLO, encoding="utf-8")
    logos("down", "--topology", str(path), "--purge")


@pytest.fixture
def layout(places: Places) -> Layout:
    return layout_of(places.state_root, "tiny")


def test_up_is_idempotent_and_down_leaves_no_process_port_or_socket(
    logos: Command, hello: str, layout: Layout
) -> None:
    first = logos("up", "--topology", hello, "--output", "json")
    again = logos("up", "--topology", hello, "--output", "json")

    assert first.returncode == 0, first.stderr
    assert again.returncode == 0
    assert b"was up already" not in first.stderr
    endpoints = json.loads(layout.endpoints.read_text(encoding="utf-8"))
    assert endpoints["schema"] == 1
    assert [node["kernel"] for node in endpoints["nodes"]] == [
        f"127.0.0.1:{FRONT + 1}",
        f"127.0.0.1:{FRONT + 2}",
    ]
    assert json.loads(first.stdout)["nodes"] == json.loads(again.stdout)["nodes"]

    down = logos("down", "--testnet", "tiny")

    assert down.returncode == 0
    assert find_processes(layout.directory) == []
    assert taken_ports([FRONT + 1, FRONT + 2]) == []
    assert not layout.sockets.exists()
    assert not layout.endpoints.exists()
    assert layout.node("node1").exists()
    assert b"was not running" in logos("down", "--testnet", "tiny").stderr


def test_purge_leaves_no_file(logos: Command, hello: str, layout: Layout) -> None:
    assert logos("up", "--topology", hello).returncode == 0

    assert logos("down", "--testnet", "tiny", "--purge").returncode == 0

    assert not layout.directory.exists()
    assert not layout.sockets.exists()


def test_up_starts_what_died(logos: Command, hello: str, layout: Layout) -> None:
    assert logos("up", "--topology", hello).returncode == 0
    everything = find_processes(layout.directory)
    send_signal([each for each in everything if each.node == "node2"], signal.SIGKILL)

    again = logos("up", "--topology", hello)

    assert again.returncode == 0, again.stderr
    found = {(each.node, each.name) for each in find_processes(layout.directory)}
    assert found == {(each.node, each.name) for each in everything}


def test_down_sweeps_modules_whose_kernel_was_killed(
    logos: Command, hello: str, layout: Layout
) -> None:
    assert logos("up", "--topology", hello).returncode == 0
    kernels = [each for each in find_processes(layout.directory) if each.name == "kernel"]
    send_signal(kernels, signal.SIGKILL)

    assert logos("down", "--testnet", "tiny").returncode == 0

    assert find_processes(layout.directory) == []


def test_a_taken_port_is_named_and_nothing_is_started(
    logos: Command, hello: str, layout: Layout
) -> None:
    with socket.create_server(("127.0.0.1", FRONT + 2)):
        ended = logos("up", "--topology", hello)

    assert ended.returncode == 5
    said = ended.stderr.decode()
    assert str(FRONT + 2) in said
    assert "node2" in said
    assert "pytest" in said or "python" in said
    assert find_processes(layout.directory) == []


def test_a_second_command_on_the_same_state_is_refused(
    logos: Command, hello: str, layout: Layout
) -> None:
    layout.directory.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = logos("up", "--topology", hello)

    assert ended.returncode == 5
    assert "TESTNET_BUSY" in ended.stderr.decode()
    assert find_processes(layout.directory) == []


def test_a_broken_topology_tells_all_problems_with_lines(
    logos: Command, tmp_path: Path, places: Places
) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('schema = 2\nname = "Big"\nnode_count = 0\n[modules.hello]\nx = 1\n')

    ended = logos("up", "--topology", str(broken))

    assert ended.returncode == 2
    said = "".join(ended.stderr.decode().split())
    for line in (1, 2, 3, 5):
        assert f"broken.toml:{line}:" in said
    assert not (places.state_root / "Big").exists()


def test_a_module_that_fails_is_left_in_place_and_explained(
    logos: Command, hello: str, layout: Layout
) -> None:
    Path(hello).write_text(
        HELLO.replace("node_count = 2", "node_count = 1").replace(
            "[modules.hello]",
            "[modules.hello]\n[modules.storage]\n[modules.mixnet]\n"
            "[modules.mixnet.settings]\nmax_peers = -1\n",
        ),
        encoding="utf-8",
    )

    ended = logos("up", "--topology", hello)

    assert ended.returncode == 5
    said = ended.stderr.decode()
    assert "max_peers" in said
    assert "mixnet" in said
    assert ("node1", "kernel") in {
        (each.node, each.name) for each in find_processes(layout.directory)
    }


def test_a_seed_makes_the_same_identities_and_is_called_insecure(
    logos: Command, tmp_path: Path
) -> None:
    path = tmp_path / "seeded.toml"
    path.write_text(
        HELLO.replace('"tiny"', '"seeded"').replace("[modules.hello]", "[modules.mixnet]"),
        encoding="utf-8",
    )
    peer_ids = []
    for seed in ("7", "7", "8"):
        started = logos("up", "--topology", str(path), "--seed", seed, "--output", "json")
        assert started.returncode == 0, started.stderr
        assert b"INSECURE" in started.stderr
        peer_ids.append([node["peer_id"] for node in json.loads(started.stdout)["nodes"]])
        other = logos("up", "--topology", str(path), "--seed", "9")
        assert b"SEED_MISMATCH" in other.stderr
        assert logos("down", "--testnet", "seeded", "--purge").returncode == 0

    assert peer_ids[0] == peer_ids[1]
    assert peer_ids[0] != peer_ids[2]
    assert len(set(peer_ids[0])) == 2


def test_every_example_topology_is_valid() -> None:
    paths = sorted((ROOT / "deploy/topologies").glob("*.toml"))
    assert len(paths) >= 2
    for path in paths:
        assert load_manifests(described_by(path).topology())
