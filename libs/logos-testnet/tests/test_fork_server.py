"""The fork server of a testnet: what it has loaded, and what its children draw."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import pytest

from fork_rig import READY_S, Rig, exit_code
from logos_forkserver import client, launch
from logos_forkserver.wire import Request
from logos_testnet.errors import UnknownStartError
from logos_testnet.fork_server import find_fork_servers, modules_of, starts_by_fork
from logos_testnet.layout import Layout
from logos_testnet.manifests import load_manifests
from logos_testnet.plan import process_plan
from logos_testnet.topology import parse_topology
from own_topology import ROOT

pytestmark = [pytest.mark.native, pytest.mark.timeout(300)]

SUPPORT = Path(__file__).parent / "support"
SMALL = ROOT / "deploy" / "topologies" / "small.toml"


@pytest.fixture(scope="module")
def modules() -> tuple[str, ...]:
    """What `./logos up` has the server load."""
    topology = parse_topology(SMALL.read_text(encoding="utf-8"))
    layout = Layout(Path("/state/small"))
    return modules_of(process_plan(topology, load_manifests(topology), None, layout))


@pytest.fixture(scope="module")
def rig(modules: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("forks")
    python_path = f"{folder}:{SUPPORT}"
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": python_path}
    path = folder / "forks.sock"
    pid = launch.start(path, modules, variables=variables, output=folder / "server.log")
    try:
        client.end_check(client.begin_check(path, timeout_s=READY_S))
        yield Rig(folder, pid, python_path)
    finally:
        os.kill(pid, signal.SIGKILL)  # not reaped yet: it is the server
        os.waitpid(pid, 0)


def draw(rig: Rig, number: int) -> dict[str, object]:
    """What one child draws."""
    path = rig.folder / f"drawn-{number}"
    request = Request("draws", folder=str(rig.folder), variables={"PYTHONPATH": rig.python_path})
    output = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        code = exit_code(client.fork(rig.socket, request, output))
    finally:
        os.close(output)
    drawn = path.read_text(encoding="utf-8")
    assert code == 0, drawn
    return dict(json.loads(drawn))


def test_no_two_children_draw_the_same_from_any_generator(rig: Rig) -> None:
    one, other = draw(rig, 1), draw(rig, 2)

    assert len(one) == 13
    assert [name for name in one if one[name] == other[name]] == []


def test_the_server_has_loaded_much_and_started_nothing(rig: Rig) -> None:
    entry = Path("/proc") / str(rig.pid)

    loaded = json.loads(rig.run("import json, sys; print(json.dumps(list(sys.modules)))"))
    assert {"grpc.aio", "sqlalchemy.ext.asyncio", "logos_native", "logos_kernel.node"} <= {*loaded}
    assert len(list((entry / "task").iterdir())) == 1
    log = str(rig.folder / "server.log")
    # Its input and output, its listener, the socket pair for signals, and its own selector;
    # an event loop, gRPC's core or a libp2p host would have opened more.
    own = sorted([os.devnull, log, log, "anon_inode:", *["socket:"] * 3])
    while len(files := open_files(entry)) > len(own):
        continue  # the connection of the child that has just ended
    assert files == own


def open_files(entry: Path) -> list[str]:
    """What a process has open, without the numbers of sockets."""
    found = []
    for link in (entry / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(link.readlink()).partition("[")[0])
    return sorted(found)


def test_a_child_serves_grpc_with_as_many_threads_as_by_exec(rig: Rig) -> None:
    program = (
        "import asyncio, os, grpc, uvloop\n"
        "from logos_module.process import prepare_process\n"
        "prepare_process()\n"
        "async def main():\n"
        "    server = grpc.aio.server()\n"
        "    port = server.add_insecure_port('127.0.0.1:0')\n"
        "    await server.start()\n"
        "    async with grpc.aio.insecure_channel(f'127.0.0.1:{port}') as channel:\n"
        "        await channel.channel_ready()\n"
        "        print(len(os.listdir('/proc/self/task')))\n"
        "    await server.stop(0)\n"
        "uvloop.run(main())\n"
    )

    forked = rig.run(program)

    assert forked == subprocess.check_output([sys.executable, "-c", program], text=True)


def test_a_server_is_found_where_its_log_is_now(tmp_path: Path) -> None:
    own = {"LOGOS_TESTNET_DIR": "/state/small", "LOGOS_FORK_SERVER_DIGEST": "d"}
    for pid, variables, log in (
        (10, own, "/state/small/forks.log"),
        (11, own, "/moved/small/forks.log"),
        (12, {**own, "LOGOS_TESTNET_DIR": "/state/other"}, "/state/other/forks.log"),
        (13, {"LOGOS_TESTNET_DIR": "/state/small"}, "/state/small/forks.log"),
    ):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "1").symlink_to(log)
        raw = "\0".join(f"{name}={value}" for name, value in variables.items())
        (tmp_path / str(pid) / "environ").write_bytes(raw.encode())

    def pids(folder: str) -> list[int]:
        return [each.pid for each in find_fork_servers(Path(folder), tmp_path)]

    assert pids("/state/small") == [10]
    assert pids("/moved/small") == [11]


@pytest.mark.parametrize(
    ("variables", "forks"),
    [({}, True), ({"LOGOS_START": ""}, True), ({"LOGOS_START": "exec"}, False)],
)
def test_logos_start_chooses(variables: dict[str, str], forks: bool) -> None:  # noqa: FBT001
    assert starts_by_fork(MappingProxyType(variables)) is forks


def test_another_way_to_start_is_refused() -> None:
    with pytest.raises(UnknownStartError, match="vfork"):
        starts_by_fork({"LOGOS_START": "vfork"})
