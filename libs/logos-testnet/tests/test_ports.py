"""Taken ports, and who holds them."""

import os
import socket

from logos_testnet.ports import holder_of, taken_ports


def test_a_port_that_somebody_listens_at_is_taken_and_its_holder_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert taken_ports([port]) == [port]
        assert f"process {os.getpid()} " in holder_of(port)

    assert taken_ports([port]) == []
    assert "another user" in holder_of(port)
