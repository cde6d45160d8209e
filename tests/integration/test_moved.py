"""A testnet whose folder is moved while it is up, and what nothing of may be deleted."""

import fcntl
from pathlib import Path

import pytest

from integration.commands import Tiny

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_moved_testnet_is_seen_and_stopped(tiny: Tiny) -> None:
    tiny.up()
    old = tiny.layout
    tiny.move()

    status = tiny.logos("status")
    down = tiny.logos("down", "--purge")

    assert status.returncode == 3
    assert f"it runs with old paths, from {old.directory}" in status.stderr.decode()
    assert down.returncode == 0, down.stderr
    assert b"tiny stopped" in down.stderr
    assert tiny.processes() == []
    for layout in (old, tiny.layout):
        assert not layout.directory.exists()
        assert not layout.temporary_run.exists()


def test_sockets_of_the_folder_that_was_are_removed(tiny: Tiny) -> None:
    tiny.state_root = tiny.folder / ("long" * 20)
    tiny.up()
    old = tiny.layout
    assert old.temporary_run.exists()
    tiny.move()

    assert tiny.logos("down").returncode == 0

    assert not old.temporary_run.exists()


def test_up_starts_a_moved_testnet_anew_from_where_it_is(tiny: Tiny) -> None:
    tiny.up()
    before = {each.pid for each in tiny.processes()}
    tiny.move()

    ended = tiny.logos("up")

    assert ended.returncode == 0, ended.stderr
    assert b"is restarted: it ran from" in ended.stderr
    after = tiny.processes()
    assert len(after) == 4
    assert not before & {each.pid for each in after}
    assert {each.folder for each in after} == {tiny.layout.directory}
    assert tiny.logos("status").returncode == 0


def test_who_runs_under_the_name_from_elsewhere_is_named_and_nothing_deleted(tiny: Tiny) -> None:
    tiny.up()
    tiny.move()
    moved, tiny.state_root = tiny.state_root, tiny.folder / "state"
    tiny.state_root.mkdir()

    down = tiny.logos("down", "--topology", tiny.topology, "--purge")
    up = tiny.logos("up", "--topology", tiny.topology)

    assert down.returncode == 5
    assert b"NOT_STOPPED" in down.stderr
    assert b"PORT_IN_USE" in up.stderr
    for said in (down.stderr, up.stderr):
        assert f"of the testnet in {moved / 'tiny'}" in said.decode()
    tiny.state_root = moved
    assert len(tiny.processes()) == 4


def test_nothing_is_deleted_under_a_kernel_that_cannot_be_seen(tiny: Tiny) -> None:
    tiny.up()
    assert tiny.logos("down").returncode == 0
    lock: Path = tiny.layout.node("node2") / "kernel" / "lock"

    with lock.open("r+", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = tiny.logos("down", "--purge")

    assert refused.returncode == 5
    assert b"NOT_STOPPED" in refused.stderr
    assert str(lock) in refused.stderr.decode()
    assert lock.exists()
    assert tiny.logos("down", "--purge").returncode == 0
    assert not tiny.layout.directory.exists()
