"""`./logos up` and `down`: what they start, refuse and leave. Small nodes, one tiny module."""

import fcntl
import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from integration.commands import ROOT, Tiny, program, surroundings
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import described_by
from logos_testnet.ports import taken_ports
from logos_testnet.processes import send_signal
from logos_testnet.state import remember_start
from own_topology import claim_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_up_is_idempotent_and_down_leaves_no_process_port_or_socket(tiny: Tiny) -> None:
    first = tiny.logos("up", "--topology", tiny.topology, "--output", "json")
    again = tiny.logos("up", "--topology", tiny.topology, "--output", "json")

    assert first.returncode == 0, first.stderr
    assert again.returncode == 0
    assert b"was up already" not in first.stderr
    endpoints = json.loads(tiny.layout.endpoints.read_text(encoding="utf-8"))
    assert endpoints["schema"] == 1
    assert [node["kernel"] for node in endpoints["nodes"]] == [
        f"127.0.0.1:{tiny.ports.front + 1}",
        f"127.0.0.1:{tiny.ports.front + 2}",
    ]
    assert json.loads(first.stdout)["nodes"] == json.loads(again.stdout)["nodes"]

    down = tiny.logos("down", "--testnet", "tiny")

    assert down.returncode == 0
    assert tiny.processes() == []
    assert taken_ports([tiny.ports.front + 1, tiny.ports.front + 2]) == []
    assert not tiny.layout.run.exists()
    assert not tiny.layout.temporary_run.exists()
    assert not tiny.layout.endpoints.exists()
    assert tiny.layout.node("node1").exists()
    again = tiny.logos("down", "--testnet", "tiny", "--output", "json")
    assert b"was not running" in again.stderr
    assert json.loads(again.stdout) == {"testnet": "tiny", "was_running": False, "purged": False}


def test_purge_leaves_no_file(tiny: Tiny) -> None:
    assert tiny.logos("up", "--topology", tiny.topology).returncode == 0

    assert tiny.logos("down", "--testnet", "tiny", "--purge").returncode == 0

    assert not tiny.layout.directory.exists()
    assert not tiny.layout.run.exists()
    assert not tiny.layout.temporary_run.exists()


def test_up_starts_what_died(tiny: Tiny) -> None:
    assert tiny.logos("up", "--topology", tiny.topology).returncode == 0
    everything = tiny.processes()
    send_signal([each for each in everything if each.node == "node2"], signal.SIGKILL)

    again = tiny.logos("up", "--topology", tiny.topology)

    assert again.returncode == 0, again.stderr
    found = {(each.node, each.name) for each in tiny.processes()}
    assert found == {(each.node, each.name) for each in everything}


def test_down_sweeps_modules_whose_kernel_was_killed(tiny: Tiny) -> None:
    assert tiny.logos("up", "--topology", tiny.topology).returncode == 0
    kernels = [each for each in tiny.processes() if each.name == "kernel"]
    send_signal(kernels, signal.SIGKILL)

    assert tiny.logos("down", "--testnet", "tiny").returncode == 0

    assert tiny.processes() == []


def test_a_taken_port_is_named_and_nothing_is_started(tiny: Tiny) -> None:
    with socket.create_server(("127.0.0.1", tiny.ports.front + 2)):
        ended = tiny.logos("up", "--topology", tiny.topology)

    assert ended.returncode == 5
    said = ended.stderr.decode()
    assert str(tiny.ports.front + 2) in said
    assert "node2" in said
    assert "pytest" in said or "python" in said
    assert tiny.processes() == []


def test_a_second_command_on_the_same_state_is_refused(tiny: Tiny) -> None:
    tiny.layout.directory.mkdir(parents=True, exist_ok=True)
    with tiny.layout.lock.open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = tiny.logos("up", "--topology", tiny.topology)

    assert ended.returncode == 3  # it may help to try again
    assert "TESTNET_BUSY" in ended.stderr.decode()
    assert tiny.processes() == []


def test_a_broken_topology_reports_all_problems_with_lines(tiny: Tiny, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('schema = 2\nname = "Big"\nnode_count = 0\n[modules.hello]\nx = 1\n')

    ended = tiny.logos("up", "--topology", str(broken))

    assert ended.returncode == 2
    said = "".join(ended.stderr.decode().split())
    for line in (1, 2, 3, 5):
        assert f"broken.toml:{line}:" in said
    assert not (tiny.state_root / "Big").exists()


def test_a_module_that_fails_is_left_in_place_and_explained(tiny: Tiny) -> None:
    tiny.write(
        tiny.text.replace("node_count = 2", "node_count = 1").replace(
            "[modules.hello]",
            "[modules.hello]\n[modules.storage]\n[modules.mixnet]\n"
            "[modules.mixnet.settings]\nmax_peers = -1\n",
        )
    )

    ended = tiny.logos("up", "--topology", tiny.topology)

    assert ended.returncode == 5
    said = ended.stderr.decode()
    assert "max_peers" in said
    assert "mixnet" in said
    assert ("node1", "kernel") in {(each.node, each.name) for each in tiny.processes()}


def test_a_seed_makes_the_same_identities_and_is_called_insecure(
    tiny: Tiny, tmp_path: Path
) -> None:
    path = tmp_path / "seeded.toml"
    text = tiny.text.replace('"tiny"', '"seeded"').replace("[modules.hello]", "[modules.mixnet]")
    path.write_text(text.replace("hello-page", "p2p"), encoding="utf-8")
    peer_ids = []
    for seed in ("7", "7", "8"):
        started = tiny.logos("up", "--topology", str(path), "--seed", seed, "--output", "json")
        assert started.returncode == 0, started.stderr
        assert b"INSECURE" in started.stderr
        peer_ids.append([node["peer_id"] for node in json.loads(started.stdout)["nodes"]])
        other = tiny.logos("up", "--topology", str(path), "--seed", "9")
        assert b"SEED_MISMATCH" in other.stderr
        assert tiny.logos("down", "--testnet", "seeded", "--purge").returncode == 0

    assert peer_ids[0] == peer_ids[1]
    assert peer_ids[0] != peer_ids[2]
    assert len(set(peer_ids[0])) == 2


def test_fewer_nodes_stop_the_rest_and_keep_its_state(tiny: Tiny) -> None:
    tiny.up()

    ended = tiny.up("--nodes", "1", "--output", "json")

    assert json.loads(ended.stdout)["stopped"] == ["node2"]
    assert b"node2: is stopped, its state is kept: the testnet has 1 node now" in ended.stderr
    assert {each.node for each in tiny.processes()} == {"node1"}
    assert tiny.layout.node("node2").is_dir()
    tiny.logos("down")
    assert tiny.logos("up").returncode == 0  # resumes with one
    assert {each.node for each in tiny.processes()} == {"node1"}


def test_status_lists_a_node_that_runs_though_no_topology_has_it(tiny: Tiny) -> None:
    tiny.up()
    remember_start(
        tiny.layout, topology=tiny.text, node_count=1, runtime="processes", seed=None
    )  # as an `up --nodes 1` that was killed at once leaves it

    ended = tiny.logos("status", "--output", "json")

    rows = {row["node"]: row for row in json.loads(ended.stdout)}
    assert rows.keys() == {"node1", "node2"}
    assert "no longer a node of the testnet" in rows["node2"]["trouble"]
    assert ended.returncode == 3
    assert tiny.logos("down").returncode == 0
    assert tiny.processes() == []


def test_up_starts_nodes_anew_whose_ports_have_changed(tiny: Tiny) -> None:
    tiny.up()
    tiny.ports = claim_ports()
    tiny.write(tiny.text)

    ended = tiny.up()

    assert b"its addresses have changed" in ended.stderr
    assert tiny.logos("status").returncode == 0
    assert str(tiny.ports.front + 1).encode() in tiny.logos("status").stdout


def test_logs_are_followed_into_the_next_file_and_printed_as_json(tiny: Tiny) -> None:
    tiny.up()
    words = ["logs", "node1", "hello", "--follow", "--output", "json"]
    with subprocess.Popen(
        program(*words), stdout=subprocess.PIPE, env=surroundings(tiny.state_root)
    ) as follower:
        assert follower.stdout is not None
        first = json.loads(follower.stdout.readline())
        log = tiny.layout.log("node1", "hello")
        log.rename(log.with_suffix(".log.1"))
        log.write_text("a new file\n", encoding="utf-8")
        lines = (json.loads(line) for line in follower.stdout)
        last = next(line for line in lines if line["line"] == "a new file")
        follower.send_signal(signal.SIGINT)
        follower.stdout.read()

    assert (first["node"], first["module"]) == ("node1", "hello")
    assert last == {"node": "node1", "module": "hello", "line": "a new file"}


def test_sockets_stand_beside_the_state_and_up_mends_them(tiny: Tiny) -> None:
    tiny.up()
    run = tiny.layout.run
    before = sorted(path.relative_to(run) for path in run.rglob("*.sock"))
    assert [str(path) for path in before] == [
        "forks.sock",
        *(f"node{number}/{name}.sock" for number in (1, 2) for name in ("hello", "kernel")),
    ]
    shutil.rmtree(run)
    run.write_text("no folder can be made here", encoding="utf-8")

    seen = tiny.logos("status")
    run.unlink()
    mended = tiny.logos("up")

    assert seen.returncode == 3
    assert b"the sockets of kernel, hello in" in seen.stderr
    assert mended.returncode == 0, mended.stderr
    assert sorted(path.relative_to(run) for path in run.rglob("*.sock")) == before
    assert tiny.logos("status").returncode == 0
    assert tiny.logos("ctl", "module", "restart", "hello").returncode == 0
    assert tiny.logos("up").returncode == 0


def test_sockets_stand_elsewhere_where_the_path_would_be_too_long(tiny: Tiny) -> None:
    tiny.state_root = tiny.folder / ("long" * 20)
    tiny.up()

    assert not tiny.layout.run.exists()
    assert len(list(tiny.layout.temporary_run.rglob("node*/*.sock"))) == 4
    assert tiny.logos("down").returncode == 0
    assert not tiny.layout.temporary_run.exists()


def test_every_example_topology_is_valid() -> None:
    paths = sorted((ROOT / "deploy/topologies").glob("*.toml"))
    assert len(paths) >= 2
    for path in paths:
        assert load_manifests(described_by(path).topology())
