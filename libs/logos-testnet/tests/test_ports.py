"""Taken ports, and who holds them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos_testnet.errors import PortInUseError
from logos_testnet.ports import holder_of, refuse_taken, taken_ports

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"
)
ROW = (
    "   0: {local}:4268 {remote} {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0"
)


@pytest.fixture
def connection() -> Iterator[tuple[int, int]]:
    """The ports of an outgoing connection of ours, its own first."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
    ):
        yield ours.getsockname()[1], listener.getsockname()[1]


def test_a_listening_port_is_taken_and_its_holder_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert taken_ports([port]) == [port]
        assert holder_of(port).startswith(f"process {os.getpid()} (")


def test_a_port_of_an_outgoing_connection_is_reported_as_that(connection: tuple[int, int]) -> None:
    own, remote = connection

    assert taken_ports([own]) == [own]
    with pytest.raises(PortInUseError) as caught:
        refuse_taken({own: "front door of node1"})

    said = f"a connection to 127.0.0.1:{remote}, of process {os.getpid()} ("
    assert f"port {own} (front door of node1) is in use by {said}" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"local": "00000000", "state": "0A", "uid": 0, "inode": 77},
            "a process of root, or a container engine",
        ),
        (
            {"local": "0100007F", "state": "01", "uid": 4_000_000, "inode": 77},
            "a connection to 127.0.0.1:80, of a process of user 4000000",
        ),
        (
            {"local": "0100007F", "state": "06", "uid": 0, "inode": 0},
            "a connection to 127.0.0.1:80 that is closing, for up to a minute",
        ),
        (
            {"local": "0500000A", "state": "01", "uid": 0, "inode": 77},
            "a process that has just released it",
        ),
    ],
    ids=["another user listens", "another user is connected", "TIME_WAIT", "another address"],
)
def test_holders_that_cannot_be_seen_are_reported_by_what_is_known(
    tmp_path: Path, row: dict[str, object], said: str
) -> None:
    (tmp_path / "net").mkdir()
    text = ROW.format(remote="0100007F:0050", **row)
    (tmp_path / "net" / "tcp").write_text(f"{HEAD}\n{text}\n")

    assert holder_of(17000, tmp_path) == said


def test_a_listener_goes_before_connections(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    connected = ROW.format(local="0100007F", remote="0100007F:0050", state="01", uid=0, inode=1)
    listening = ROW.format(
        local="0000000000000000FFFF00000100007F",  # ::ffff:127.0.0.1
        remote=f"{'0' * 32}:0000",
        state="0A",
        uid=0,
        inode=2,
    )
    for table, row in (("tcp", connected), ("tcp6", listening)):
        (tmp_path / "net" / table).write_text(f"{HEAD}\n{row}\n")

    assert "container engine" in holder_of(17000, tmp_path)
