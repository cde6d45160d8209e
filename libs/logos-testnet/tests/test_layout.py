"""Where sockets stand."""

from pathlib import Path

from logos_testnet.layout import MAX_SOCKET_PATH_BYTES, Layout

NAMES = [("node1", "kernel"), ("node10", "storage")]


def test_sockets_stand_beside_the_state_where_every_path_is_short_enough() -> None:
    tail = len("/run/node10/storage.sock")
    fits = Layout(Path("/" + "x" * (MAX_SOCKET_PATH_BYTES - tail - 1)))
    too_long = Layout(Path("/" + "x" * (MAX_SOCKET_PATH_BYTES - tail)))

    assert len(str(fits.directory)) + tail == MAX_SOCKET_PATH_BYTES
    assert fits.sockets_of(NAMES) == fits.run
    assert too_long.sockets_of(NAMES[:1]) == too_long.run
    assert too_long.sockets_of(NAMES) == too_long.temporary_run


def test_bytes_count_and_not_letters() -> None:
    layout = Layout(Path("/" + "ü" * 50))

    assert layout.sockets_of(NAMES) == layout.temporary_run
