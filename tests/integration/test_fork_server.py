"""The fork server in the life of a testnet: started, killed, missed, replaced and ended."""

import asyncio
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from integration.commands import Tiny, program, surroundings
from logos_client.channels import channel_to
from logos_client.token_file import read_token
from logos_testnet.client import READY, view
from logos_testnet.processes import KERNEL, NodeProcess, send_signal

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE_S = 120.0


def parent(process: NodeProcess) -> int:
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def parents(processes: Iterable[NodeProcess]) -> set[int]:
    return {parent(each) for each in processes}


def module_of(tiny: Tiny, node: str) -> NodeProcess:
    return next(each for each in tiny.processes() if (each.node, each.name) == (node, "hello"))


def until_replaced(tiny: Tiny, node: int, pid: int) -> NodeProcess:
    """Waits until the module of a node is READY as another process."""

    front = f"127.0.0.1:{tiny.ports.front + node}"

    async def wait() -> NodeProcess:
        async with (
            asyncio.timeout(PATIENCE_S),
            channel_to(front, read_token(tiny.layout.operator_token)) as channel,
        ):
            while True:
                seen = await view(channel, networked=False)
                is_ready = all(module.state == READY for module in seen.modules)
                for each in tiny.processes() if is_ready else ():
                    if (each.node, each.name) == (f"node{node}", "hello") and each.pid != pid:
                        return each
                await asyncio.sleep(0.05)

    return asyncio.run(wait())


def up(tiny: Tiny, **variables: str) -> CompletedProcess[bytes]:
    return subprocess.run(
        program("up", "--topology", tiny.topology),
        capture_output=True,
        env=surroundings(tiny.state_root) | variables,
        check=False,
        timeout=180,
    )


def test_kernels_and_modules_are_forked_and_down_ends_the_server(tiny: Tiny) -> None:
    tiny.up()

    (server,) = tiny.fork_servers()
    assert parents(tiny.processes()) == {server.pid}
    assert {each.name for each in tiny.processes()} == {KERNEL, "hello"}

    assert tiny.logos("down").returncode == 0

    assert tiny.fork_servers() == []
    assert tiny.processes() == []
    assert not tiny.layout.run.exists()


def test_a_killed_module_is_forked_again_and_its_exit_is_known(tiny: Tiny) -> None:
    tiny.up()
    (server,) = tiny.fork_servers()
    killed = module_of(tiny, "node1")

    send_signal([killed], signal.SIGKILL)

    assert parent(until_replaced(tiny, 1, killed.pid)) == server.pid
    log = tiny.layout.log("node1", KERNEL).read_text(encoding="utf-8")
    assert "ended by signal 9" in log


def test_everything_outlives_the_server_and_restarts_without_it(tiny: Tiny) -> None:
    tiny.up()
    before = tiny.processes()
    (server,) = tiny.fork_servers()

    send_signal([server], signal.SIGKILL)
    killed = module_of(tiny, "node1")
    send_signal([killed], signal.SIGKILL)

    kernel = next(each for each in before if (each.node, each.name) == ("node1", KERNEL))
    second = until_replaced(tiny, 1, killed.pid)
    assert parent(second) == kernel.pid
    assert tiny.logos("ctl", "module", "restart", "hello").returncode == 0
    until_replaced(tiny, 1, second.pid)
    assert tiny.logos("status").returncode == 0
    others = [each for each in before if each.pid != killed.pid and each.node != "node1"]
    assert [each for each in tiny.processes() if each.node != "node1"] == others
    assert "FORK_SERVER_UNAVAILABLE" in tiny.layout.log("node1", KERNEL).read_text()

    tiny.up()  # starts another, and keeps running processes

    (replacement,) = tiny.fork_servers()
    assert replacement.pid != server.pid
    again = module_of(tiny, "node1")
    send_signal([again], signal.SIGKILL)
    assert parent(until_replaced(tiny, 1, again.pid)) == replacement.pid


def test_a_kernel_that_is_killed_is_forked_by_the_next_up_and_adopts(tiny: Tiny) -> None:
    tiny.up()
    (server,) = tiny.fork_servers()
    module = module_of(tiny, "node1")
    send_signal([each for each in tiny.processes() if each.name == KERNEL], signal.SIGKILL)

    tiny.up()

    assert [each.pid for each in tiny.fork_servers()] == [server.pid]
    assert module_of(tiny, "node1").pid == module.pid
    assert parents(tiny.processes()) == {server.pid}


def test_up_with_another_environment_starts_another_server(tiny: Tiny) -> None:
    tiny.up()
    before = tiny.processes()
    (first,) = tiny.fork_servers()
    ended = up(tiny, TZ="Antarctica/Troll")
    assert ended.returncode == 0, ended.stderr

    assert tiny.processes() == before
    (second,) = [each for each in tiny.fork_servers() if each.pid != first.pid]
    # The first one waits for its children, whose own processes differ in their environment.
    assert parents(tiny.processes()) == {first.pid}
    killed = module_of(tiny, "node1")
    send_signal([killed], signal.SIGKILL)
    assert parent(until_replaced(tiny, 1, killed.pid)) not in {first.pid, second.pid}
    assert "other values of TZ" in tiny.layout.log("node1", KERNEL).read_text(encoding="utf-8")

    assert tiny.logos("down").returncode == 0

    assert tiny.fork_servers() == []


def test_up_without_a_server_says_so_and_starts_by_exec(tiny: Tiny) -> None:
    tiny.layout.directory.mkdir(parents=True)
    tiny.layout.fork_server_log.mkdir()  # it can be no log: the server cannot be started

    ended = tiny.up()

    assert b"every process starts by its own command" in ended.stderr
    assert tiny.fork_servers() == []
    assert len(tiny.processes()) == 4
    tiny.logos("down")


@pytest.mark.parametrize("start", ["exec", "vfork"])
def test_logos_start_chooses(tiny: Tiny, start: str) -> None:
    ended = up(tiny, LOGOS_START=start)

    assert tiny.fork_servers() == []
    if start == "exec":
        assert ended.returncode == 0, ended.stderr
        assert len(tiny.processes()) == 4
    else:
        assert ended.returncode == 2
        assert b"START_UNKNOWN" in ended.stderr
        assert tiny.processes() == []
