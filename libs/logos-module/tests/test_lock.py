"""One process at a time in a folder."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from logos_module.lock import FolderLock


def test_a_lock_is_held_by_one_and_names_it(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as first, FolderLock(tmp_path) as second:
        assert first.take()
        assert not second.take()
        assert second.holder() == f"{os.getpid()} on {socket.gethostname()}"
    with FolderLock(tmp_path) as third:
        assert third.take()


def test_a_killed_holder_releases_the_lock(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal; from logos_module.lock import FolderLock\n"
        f"assert FolderLock(pathlib.Path({str(tmp_path)!r})).take()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL

    with FolderLock(tmp_path) as lock:
        assert lock.take()


def test_a_lock_needs_no_room_for_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with FolderLock(tmp_path) as first, FolderLock(tmp_path) as second:
        assert first.take()
        assert not second.take()
        assert second.holder() == "unknown"
