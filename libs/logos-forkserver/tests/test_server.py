"""Processes of the fork server: their start, their environment, their exit codes."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fork_rig import READY_S, Rig, connected, exit_code
from logos_forkserver import client, wire
from logos_forkserver.client import ForkServerError, OutdatedError
from logos_forkserver.wire import Request

Start = Callable[..., Rig]

WAIT = "import sys\nprint('runs', flush=True)\nsys.stdin.read()\nimport signal\nsignal.pause()\n"


def until_ended(pidfd: int) -> None:
    assert select.select([pidfd], [], [], READY_S)[0]


def answers(rig: Rig) -> bool:
    try:
        client.end_check(client.begin_check(rig.socket, timeout_s=READY_S))
    except ForkServerError:
        return False
    return True


def test_a_program_runs_as_python_m_runs_it(rig: Rig) -> None:
    told = json.loads(
        rig.run(
            "import json, os, sys\n"
            "json.dump([__name__, sys.argv[1:], os.getcwd(), dict(os.environ), os.getsid(0),\n"
            "  os.getpgid(0), os.getpid(), os.readlink('/proc/self/fd/0'),\n"
            "  sorted(map(int, os.listdir('/proc/self/fd')))], sys.stdout)\n",
            PYTHONPATH=str(rig.folder),
            EXTRA="ä",
        )
    )

    name, arguments, folder, variables, session, group, pid, standard_input, files = told
    assert name == "__main__"
    assert arguments == ["an argument"]
    assert folder == str(rig.folder)
    assert variables == {"PYTHONPATH": str(rig.folder), "EXTRA": "ä"}
    assert session == group == pid
    assert standard_input == os.devnull
    assert files == [0, 1, 2, 3]  # 3 lists the folder: nothing of the server's is open


def test_proc_shows_the_command_and_the_environment_of_the_child(rig: Rig) -> None:
    forked = rig.fork(WAIT, LOGOS_MODULE="one")

    entry = Path("/proc") / str(forked.pid)
    variables = [item for item in (entry / "environ").read_bytes().split(b"\0") if item]
    assert variables == [f"PYTHONPATH={rig.folder}".encode(), b"LOGOS_MODULE=one"]
    command = (entry / "cmdline").read_bytes().rstrip(b"\0").decode()
    assert command == f"{sys.executable} -m program an argument"
    assert (entry / "comm").read_text(encoding="ascii") == "program\n"
    os.kill(forked.pid, signal.SIGKILL)
    assert exit_code(forked) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('no')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import atexit; atexit.register(print, 'last words')", 0),
    ],
)
def test_an_exit_code_is_reported_once_and_exactly(rig: Rig, program: str, code: int) -> None:
    forked = rig.fork(program)

    until_ended(forked.pidfd)
    forked.connection.settimeout(READY_S)
    assert forked.exit_code() == code
    assert forked.exit_code() is None  # and then the connection ends
    forked.close()
    if "last words" in program:
        assert rig.output.read_text(encoding="utf-8") == "last words\n"


def test_processes_that_a_child_leaves_behind_end_with_it(rig: Rig) -> None:
    written = rig.run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "print(child.pid)\n"
    )

    with suppress(ProcessLookupError):  # gone already
        pidfd = os.pidfd_open(int(written))
        until_ended(pidfd)
        os.close(pidfd)


def test_a_missing_folder_is_reported_as_by_exec(rig: Rig) -> None:
    output = os.open(os.devnull, os.O_WRONLY)

    with pytest.raises(FileNotFoundError, match="nowhere"):
        client.fork(
            rig.socket,
            Request("program", (), "/nowhere", {"PYTHONPATH": rig.python_path}),
            output,
        )

    os.close(output)


def test_variables_that_the_interpreter_reads_at_its_start_must_be_the_servers(rig: Rig) -> None:
    with pytest.raises(ForkServerError, match=r"other values of LC_ALL, PYTHONPATH$"):
        rig.fork(WAIT, PYTHONPATH="/elsewhere", LC_ALL="C", PYTHONUNBUFFERED="1")


def test_an_environment_that_is_too_large_is_refused(rig: Rig) -> None:
    with pytest.raises(ForkServerError, match="the limit is"):
        rig.fork(WAIT, LARGE="x" * 100_000)
    with pytest.raises(ForkServerError):
        rig.fork(WAIT, LARGE="x" * 10_000_000)


def test_a_process_that_gets_no_go_never_runs(rig: Rig) -> None:
    (rig.folder / "program.py").write_text("print('it runs')", encoding="utf-8")
    request = Request("program", (), str(rig.folder), {"PYTHONPATH": str(rig.folder)})
    output = os.open(rig.output, os.O_WRONLY | os.O_CREAT)
    connection = connected(rig.socket)
    wire.send(connection, request.to_document(), [output])
    answer, files = wire.receive(connection)
    assert answer["pid"]

    connection.close()

    until_ended(files[0])
    os.close(files[0])
    os.close(output)
    assert rig.output.read_bytes() == b""


@pytest.mark.parametrize("answer", [b"{}", b'{"pid": 1, "start_ticks": 1}', b'{"pid": "x"}', b"[]"])
def test_an_answer_that_is_not_valid_is_an_error_and_leaves_no_descriptor_open(
    tmp_path: Path, answer: bytes
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(bytes(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(wire.MAX_PACKET_BYTES)
                socket.send_fds(connection, [answer], [1] if answer == b"[]" else [])
                connection.recv(1)

        before = len(list(Path("/proc/self/fd").iterdir()))
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ForkServerError):
            client.fork(tmp_path / "s", Request("program"), 1)
        thread.join()

        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_exit_code_of_a_process_that_never_read_its_go_is_reported(rig: Rig) -> None:
    (rig.folder / "program.py").write_text(WAIT, encoding="utf-8")
    request = Request("program", (), str(rig.folder), {"PYTHONPATH": rig.python_path})
    output = os.open(os.devnull, os.O_WRONLY)
    with connected(rig.socket) as connection:
        wire.send(connection, request.to_document(), [output])
        answer, files = wire.receive(connection)
        os.kill(answer["pid"], signal.SIGSTOP)
        wire.send(connection, wire.GO)

        os.kill(answer["pid"], signal.SIGKILL)

        assert wire.receive(connection)[0] == {"code": -signal.SIGKILL}
    for file in (output, *files):
        os.close(file)


@pytest.mark.parametrize("packet", [b"not JSON", b"[]", b'{"module": "program"}'])
def test_an_invalid_request_ends_its_own_process_only(rig: Rig, packet: bytes) -> None:
    with connected(rig.socket) as connection:
        connection.send(packet)
        assert json.loads(connection.recv(100) or b'{"code": 1}')["code"] == 1

    assert rig.run("print('fine')") == "fine\n"


def test_code_that_has_changed_is_refused(start: Start, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded.py"
    loaded.write_text("x = 1\n", encoding="utf-8")
    rig = start("loaded")

    loaded.write_text("x = 22\n", encoding="utf-8")

    with pytest.raises(OutdatedError, match=r"loaded\.py"):
        client.end_check(client.begin_check(rig.socket, timeout_s=READY_S))
    with pytest.raises(OutdatedError):
        rig.fork(WAIT)


def test_children_outlive_their_server_and_their_exit_is_unknown(rig: Rig) -> None:
    forked = rig.fork(WAIT)

    os.kill(rig.pid, signal.SIGKILL)

    forked.connection.settimeout(READY_S)
    assert forked.exit_code() is None
    assert not select.select([forked.pidfd], [], [], 0)[0]
    os.kill(forked.pid, signal.SIGKILL)
    until_ended(forked.pidfd)
    forked.close()
    with pytest.raises(ForkServerError):
        client.end_check(client.begin_check(rig.socket, timeout_s=READY_S))


def test_a_server_that_is_asked_to_stop_waits_for_its_children(start: Start) -> None:
    rig = start()
    forked = rig.fork(WAIT)
    server = os.pidfd_open(rig.pid)

    os.kill(rig.pid, signal.SIGTERM)

    while answers(rig):
        continue  # until the signal has arrived
    assert not select.select([server], [], [], 0)[0]
    os.kill(forked.pid, signal.SIGTERM)
    assert exit_code(forked) == -signal.SIGTERM
    until_ended(server)
    os.close(server)


@pytest.mark.stress
def test_a_server_whose_socket_is_gone_ends_once_it_has_no_child(rig: Rig) -> None:
    server = os.pidfd_open(rig.pid)

    rig.socket.unlink()

    until_ended(server)
    os.close(server)


def test_only_the_owner_may_use_the_socket(rig: Rig) -> None:
    assert rig.socket.stat().st_mode & 0o777 == 0o600


def test_another_user_is_refused_even_where_the_mode_allows_it(rig: Rig) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    for one in (rig.folder, *rig.folder.parents):
        if one.stat().st_mode & 0o005 != 0o005 and one.is_relative_to("/tmp"):  # noqa: S108
            one.chmod(0o755)
    rig.socket.chmod(0o666)
    program = (
        "import os, socket, sys\nos.setuid(65534)\n"
        "one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "one.connect(sys.argv[1])\none.settimeout(30)\nprint(one.recv(100))\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, rig.socket], capture_output=True, text=True, check=False
    )

    assert ended.stdout == "b''\n", ended.stderr
    assert "refused a connection of user 65534" in (rig.folder / "server.log").read_text()


def test_a_module_that_starts_threads_is_refused_by_name(start: Start, tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        encoding="utf-8",
    )

    with pytest.raises(ForkServerError):
        start("threaded")

    assert "threaded starts 1 threads" in (tmp_path / "server.log").read_text(encoding="utf-8")
